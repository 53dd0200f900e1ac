"""Warehouses, stock, holds, movements; an empty shop has one warehouse, MAIN."""

from alembic import op

revision = "inventory_0001"
down_revision = None
branch_labels = None

MAIN = "01900000-0000-7000-8000-000000000000"

TABLES = (
    """CREATE TABLE warehouses (
         id uuid PRIMARY KEY,
         code text NOT NULL,
         name text NOT NULL,
         priority integer NOT NULL,
         version integer NOT NULL,
         created_at timestamptz NOT NULL,
         updated_at timestamptz NOT NULL)""",
    """CREATE TABLE stock (
         sku text NOT NULL,
         warehouse_id uuid NOT NULL REFERENCES warehouses,
         on_hand integer NOT NULL,
         reserved integer NOT NULL,
         threshold integer NOT NULL,
         version integer NOT NULL,
         PRIMARY KEY (sku, warehouse_id),
         CONSTRAINT stock_sane CHECK (0 <= reserved AND reserved <= on_hand))
       WITH (fillfactor = 50)""",
    """CREATE TABLE holds (
         order_id uuid NOT NULL,
         sku text NOT NULL,
         attempt integer NOT NULL,
         state text NOT NULL,
         quantity integer NOT NULL,
         shipped integer NOT NULL,
         parts jsonb NOT NULL,
         updated_at timestamptz NOT NULL,
         PRIMARY KEY (order_id, sku)) WITH (fillfactor = 70)""",
    """CREATE TABLE movements (
         sku text NOT NULL,
         warehouse_id uuid NOT NULL,
         version integer NOT NULL,
         id uuid NOT NULL,
         kind text NOT NULL,
         reason text NOT NULL,
         actor_id uuid,
         order_id uuid,
         on_hand_before integer NOT NULL,
         on_hand_after integer NOT NULL,
         reserved_before integer NOT NULL,
         reserved_after integer NOT NULL,
         created_at timestamptz NOT NULL,
         PRIMARY KEY (sku, warehouse_id, version))""",
    f"""INSERT INTO warehouses VALUES
        ('{MAIN}', 'MAIN', 'Main warehouse', 10, 1, now(), now())""",
    f"INSERT INTO claims VALUES ('warehouse-code', 'MAIN', '{MAIN}')",
)


def upgrade() -> None:
    """Make the tables."""
    for statement in TABLES:
        op.execute(statement)
