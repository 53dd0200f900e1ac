"""Sessions that were ended are remembered as long as their access tokens live."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Say of a session when it was ended."""
    op.execute("ALTER TABLE sessions ADD COLUMN ended_at timestamptz")
    op.execute(
        """
        CREATE INDEX sessions_by_ended_at ON sessions (ended_at)
            WHERE ended_at IS NOT NULL
        """
    )
