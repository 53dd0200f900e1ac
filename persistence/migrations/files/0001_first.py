"""Files: one row a picture."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the table and its index."""
    op.execute(
        """CREATE TABLE files (
            id uuid PRIMARY KEY,
            owner_id uuid,
            entity_type text NOT NULL,
            entity_id text NOT NULL,
            renditions jsonb NOT NULL,
            deleted boolean NOT NULL,
            created_at timestamptz NOT NULL
        )"""
    )
    op.execute("CREATE INDEX ix_files_owner_id ON files (owner_id)")
