"""What is removed by hand is noted; what has shipped is found by its order."""

from alembic import op

from persistence.kit.removals import note_removals

revision = "inventory_0003"
down_revision = "inventory_0002"
branch_labels = None
depends_on = None

BY_ORDER = """
CREATE INDEX movements_shipped ON movements (order_id) WHERE kind = 'SHIP'
"""
TABLES = {
    "stock": "sku",
    "levels": "sku",
    "movements": "sku",
    "holds": "order_id",
    "transfers": "id",
    "outbox": "slot",
    "handled": "command_id",
}


def upgrade() -> None:
    """Make the table and the triggers, and the index."""
    op.execute(BY_ORDER)
    for statement in note_removals(TABLES):
        op.execute(statement)
