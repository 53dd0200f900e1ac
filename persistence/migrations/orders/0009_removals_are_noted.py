"""What is removed by hand is noted, for who compares."""

from alembic import op

from persistence.kit.removals import note_removals

revision = "orders_0009"
down_revision = "orders_0008"
branch_labels = None
depends_on = None

TABLES = {
    "orders": "id",
    "order_lines": "order_id",
    "timeline": "order_id",
    "seller_totals": "seller_id",
    "product_replica": "sku",
    "outbox": "slot",
    "handled": "command_id",
}


def upgrade() -> None:
    """Make the table and the triggers."""
    for statement in note_removals(TABLES):
        op.execute(statement)
