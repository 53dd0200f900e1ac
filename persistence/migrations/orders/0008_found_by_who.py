"""Only orders of a person are found by the person, only lines of a seller by seller."""

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
)


def upgrade() -> None:
    """Make both indexes anew."""
    for statement in CHANGES:
        op.execute(statement)
