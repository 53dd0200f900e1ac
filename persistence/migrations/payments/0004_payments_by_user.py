"""A person's payments are found by the person."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index."""
    op.execute(
        "CREATE INDEX payments_by_user ON payments (user_id) WHERE user_id IS NOT NULL"
    )
