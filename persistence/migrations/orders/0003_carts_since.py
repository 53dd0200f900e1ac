"""Since when there is a cart."""

from alembic import op

revision = "orders_0003"
down_revision = "orders_0002"
branch_labels = None

CHANGES = (
    "ALTER TABLE carts ADD COLUMN created_at timestamptz NOT NULL DEFAULT now()",
    "UPDATE carts SET created_at = updated_at",
)


def upgrade() -> None:
    """Add what is new to the tables."""
    for statement in CHANGES:
        op.execute(statement)
