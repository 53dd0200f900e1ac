"""Orders are found by their person, and by a line's seller, where there is one."""

from alembic import op

revision = "orders_0007"
down_revision = "orders_0006"
branch_labels = None

# Most orders are guests', most lines the shop's own: nobody looks for what is null.
CHANGES = (
    "DROP INDEX orders_by_user",
    """CREATE INDEX orders_by_user ON orders (user_id, id)
         WHERE user_id IS NOT NULL""",
    "DROP INDEX order_lines_by_seller",
    """CREATE INDEX order_lines_by_seller ON order_lines (seller_id, order_id)
         WHERE seller_id IS NOT NULL""",
)


def upgrade() -> None:
    """Make two indexes anew."""
    for statement in CHANGES:
        op.execute(statement)
