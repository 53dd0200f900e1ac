"""Who of the shop gave money back."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; who gave back what went before is not known."""
    op.execute("ALTER TABLE refunds ADD COLUMN actor_id uuid")
