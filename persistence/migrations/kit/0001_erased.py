"""Who was erased, in each domain, so that nothing late writes of them again."""

from alembic import op

revision = "kit_0001"
down_revision = "kit_0000"
branch_labels = None

ERASED = """
CREATE TABLE erased (
    user_id uuid PRIMARY KEY,
    at timestamptz NOT NULL)
"""
BY_TIME = "CREATE INDEX erased_by_time ON erased (at)"
COMMENT = "COMMENT ON TABLE erased IS 'People who are gone: their ids alone, for good.'"


def upgrade() -> None:
    """Make the table."""
    op.execute(ERASED)
    op.execute(BY_TIME)
    op.execute(COMMENT)
