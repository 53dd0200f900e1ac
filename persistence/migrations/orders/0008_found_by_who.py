"""Orders are found by their person, by what they wait for, and by a line's seller."""

from alembic import op

revision = "orders_0008"
down_revision = "orders_0005"
branch_labels = None

# Most orders are guests', most lines the shop's own: nobody looks for what is null.
CHANGES = (
    "DROP INDEX orders_by_user",
    """CREATE INDEX orders_by_user ON orders (user_id, id)
         WHERE user_id IS NOT NULL""",
    "DROP INDEX order_lines_by_seller",
    """CREATE INDEX order_lines_by_seller ON order_lines (seller_id, order_id)
         WHERE seller_id IS NOT NULL""",
    # What nearly all orders come to needs no index; of the others there are few.
    """CREATE INDEX orders_open ON orders (status, id)
         WHERE status NOT IN ('DELIVERED', 'CANCELLED')""",
)


def upgrade() -> None:
    """Make two indexes anew, and one for the orders that go on."""
    for statement in CHANGES:
        op.execute(statement)
