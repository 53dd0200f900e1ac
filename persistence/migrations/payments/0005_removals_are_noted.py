"""What is removed by hand is noted; the ledger's lines are found by payment."""

from alembic import op

from persistence.kit.removals import note_removals

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

BY_PAYMENT = """
CREATE INDEX ledger_lines_by_payment ON ledger_lines (payment_id)
"""
TABLES = {
    "payments": "order_id",
    "attempts": "payment_id",
    "refunds": "payment_id",
    "ledger_lines": "payment_id",
    "outbox": "slot",
    "handled": "command_id",
}


def upgrade() -> None:
    """Make the table and the triggers, and the index."""
    op.execute(BY_PAYMENT)
    for statement in note_removals(TABLES):
        op.execute(statement)
