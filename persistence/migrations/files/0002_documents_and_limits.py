"""Files: documents beside pictures, rows before contents, and what a person keeps."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Say what each file is, whether its contents are stored, and what it takes."""
    op.execute(
        """ALTER TABLE files
            ADD COLUMN media_type text NOT NULL DEFAULT 'image/webp',
            ADD COLUMN size_bytes bigint NOT NULL DEFAULT 0,
            ADD COLUMN stored boolean NOT NULL DEFAULT true"""
    )
    # Sizes that came out alike share one object.
    op.execute(
        """UPDATE files SET size_bytes = coalesce((
             SELECT sum(one.size_bytes) FROM (
               SELECT DISTINCT size.value ->> 'object_key',
                      (size.value ->> 'size_bytes')::bigint AS size_bytes
               FROM jsonb_each(files.renditions) AS size) AS one), 0)"""
    )
    op.execute(
        """ALTER TABLE files
            ALTER COLUMN media_type DROP DEFAULT,
            ALTER COLUMN size_bytes DROP DEFAULT,
            ALTER COLUMN stored DROP DEFAULT,
            ADD CHECK (size_bytes >= 0)"""
    )
    op.execute("CREATE INDEX ix_files_owner_day ON files (owner_id, created_at)")
    op.execute("DROP INDEX ix_files_owner_id")
