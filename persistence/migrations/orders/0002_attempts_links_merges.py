"""Several attempts to pay, mailed links, who moved an order, carts given away."""

from alembic import op

revision = "orders_0002"
down_revision = "orders_0001"
branch_labels = None

CHANGES = (
    """ALTER TABLE orders
         ADD COLUMN attempt_id uuid,
         ADD COLUMN attempt_at timestamptz,
         ADD COLUMN links jsonb NOT NULL DEFAULT '[]'""",
    "DROP INDEX ix_orders_number",
    "CREATE UNIQUE INDEX ix_orders_number ON orders (number)",
    # One more would be the number of the first order again.
    "ALTER SEQUENCE order_numbers MAXVALUE 1001000002",
    "ALTER TABLE timeline ADD COLUMN actor text NOT NULL DEFAULT 'SYSTEM'",
    "ALTER TABLE carts ADD COLUMN merge_id uuid, ADD COLUMN given jsonb",
    "UPDATE carts SET lines = '[]' WHERE state = 'MERGED'",
    """ALTER TABLE cart_merges
         ADD COLUMN merge_id uuid NOT NULL DEFAULT gen_random_uuid(),
         ADD COLUMN at timestamptz NOT NULL DEFAULT now(),
         DROP CONSTRAINT cart_merges_pkey,
         ADD PRIMARY KEY (buyer, merge_id)""",
)


def upgrade() -> None:
    """Add what is new to the tables."""
    for statement in CHANGES:
        op.execute(statement)
