"""Orders of a rare status are found, and a change of status costs no index."""

from alembic import op

revision = "orders_0010"
down_revision = "orders_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make an index of what statuses each few pages hold.

    It is a summary, and a summary's column may change in place (HOT, since
    Postgres 16). VACUUM writes it for pages that are new.
    """
    op.execute(
        """CREATE INDEX orders_by_status ON orders
             USING brin (status text_bloom_ops) WITH (pages_per_range = 32)"""
    )
