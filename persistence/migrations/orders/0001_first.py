"""Carts, orders, lines, timeline."""

from alembic import op

revision = "orders_0001"
down_revision = None
branch_labels = None

TABLES = (
    "CREATE SEQUENCE order_numbers START 1000003",
    """CREATE TABLE carts (
         buyer text PRIMARY KEY,
         state text NOT NULL,
         merged_into text,
         ordering uuid,
         lines jsonb NOT NULL,
         version integer NOT NULL,
         updated_at timestamptz NOT NULL)""",
    """CREATE TABLE cart_merges (
         buyer text NOT NULL,
         guest text NOT NULL,
         PRIMARY KEY (buyer, guest))""",
    """CREATE TABLE orders (
         id uuid PRIMARY KEY,
         number text NOT NULL,
         buyer text NOT NULL,
         user_id uuid,
         status text NOT NULL,
         stage text NOT NULL,
         method text NOT NULL,
         token text,
         payment_method_id uuid,
         payment_id uuid,
         payment_status text NOT NULL,
         attempt integer NOT NULL,
         reserve_attempt integer NOT NULL,
         from_cart boolean NOT NULL,
         currency text NOT NULL,
         items_amount bigint NOT NULL,
         discount_amount bigint NOT NULL,
         shipping_amount bigint NOT NULL,
         tax_amount bigint NOT NULL,
         grand_amount bigint NOT NULL,
         refunded_amount bigint NOT NULL,
         email text,
         token_hash bytea,
         shipping jsonb NOT NULL,
         refusal bytea,
         cancel_reason text,
         shipments jsonb NOT NULL,
         version integer NOT NULL,
         created_at timestamptz NOT NULL,
         updated_at timestamptz NOT NULL,
         CONSTRAINT orders_sum CHECK (grand_amount = items_amount - discount_amount
           + shipping_amount + tax_amount AND items_amount >= 0))
       WITH (fillfactor = 70)""",
    "CREATE INDEX orders_by_user ON orders (user_id, id)",
    "CREATE INDEX ix_orders_number ON orders (number)",
    """CREATE TABLE order_lines (
         order_id uuid NOT NULL,
         position smallint NOT NULL,
         sku text NOT NULL,
         product_id uuid NOT NULL,
         name text NOT NULL,
         options jsonb NOT NULL,
         image text,
         seller_id uuid,
         quantity integer NOT NULL,
         unit_amount bigint NOT NULL,
         status text NOT NULL,
         shipped integer NOT NULL,
         delivered integer NOT NULL,
         PRIMARY KEY (order_id, position))""",
    "CREATE INDEX order_lines_by_seller ON order_lines (seller_id, order_id)",
    """CREATE TABLE timeline (
         order_id uuid NOT NULL,
         version integer NOT NULL,
         day date NOT NULL,
         status text NOT NULL,
         actor_id uuid,
         reason text NOT NULL,
         at timestamptz NOT NULL,
         PRIMARY KEY (order_id, version, day)) PARTITION BY RANGE (day)""",
    "CREATE TABLE timeline_default PARTITION OF timeline DEFAULT",
    """COMMENT ON TABLE timeline IS
       'Every change of an order: to what, by whom, why; kept 400 days.'""",
)


def upgrade() -> None:
    """Make the tables."""
    for statement in TABLES:
        op.execute(statement)
