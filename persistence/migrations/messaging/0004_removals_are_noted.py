"""What is removed by hand is noted, for who compares."""

from alembic import op

from persistence.kit.removals import note_removals

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES = {
    "messages": "message_id",
    "outbox": "slot",
    "handled": "command_id",
}


def upgrade() -> None:
    """Make the table and the triggers."""
    for statement in note_removals(TABLES):
        op.execute(statement)
