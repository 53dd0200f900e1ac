"""Orders whose person is gone say so."""

from alembic import op

revision = "orders_0005"
down_revision = "orders_0004"
branch_labels = None

COLUMN = "ALTER TABLE orders ADD COLUMN erased boolean NOT NULL DEFAULT false"


def upgrade() -> None:
    """Add the column; nobody was erased so far."""
    op.execute(COLUMN)
