"""What stands in for a process that died is found among all that is due."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

STANDING_IN = """
CREATE INDEX due_standing_in ON due (slot, at)
WHERE kind IN ('payments.rescue_attempt', 'payments.rescue_refund')
"""


def upgrade() -> None:
    """Make the index."""
    op.execute(STANDING_IN)
