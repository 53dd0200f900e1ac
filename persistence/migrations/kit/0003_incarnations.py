"""Which copies of each shard have begun to start, in order: the last one wins."""

from alembic import op

revision = "kit_0003"
down_revision = "kit_0002"
branch_labels = None
depends_on = None

TABLE = (
    "CREATE SEQUENCE incarnation_numbers",
    """CREATE TABLE incarnations (
         name text PRIMARY KEY,
         shard integer NOT NULL,
         number bigint NOT NULL)""",
    "CREATE INDEX incarnations_by_shard ON incarnations (shard, number)",
    """COMMENT ON TABLE incarnations IS
       'Copies of each shard, numbered when they began to start; the last one wins.'""",
)


def upgrade() -> None:
    """Make the table."""
    for statement in TABLE:
        op.execute(statement)
