"""Warehouses close, stock moves, holds end by the clock, alerts are told once."""

from alembic import op

revision = "inventory_0002"
down_revision = "inventory_0001"
branch_labels = None

STATEMENTS = (
    "ALTER TABLE warehouses ADD COLUMN closed_at timestamptz",
    "ALTER TABLE movements ADD COLUMN number integer, ADD COLUMN transfer_id uuid",
    """UPDATE movements SET number = counted.number
       FROM (SELECT sku, warehouse_id, version,
               row_number() OVER (PARTITION BY sku
                 ORDER BY created_at, version, warehouse_id) AS number
             FROM movements) AS counted
       WHERE movements.sku = counted.sku
         AND movements.warehouse_id = counted.warehouse_id
         AND movements.version = counted.version""",
    "ALTER TABLE movements ALTER COLUMN number SET NOT NULL",
    "ALTER TABLE movements DROP CONSTRAINT movements_pkey",
    "ALTER TABLE movements ADD PRIMARY KEY (sku, number)",
    """CREATE TABLE levels (
         sku text PRIMARY KEY,
         told smallint NOT NULL)""",
    """INSERT INTO levels SELECT sku, CASE
         WHEN sum(on_hand - reserved) <= 0 THEN 2
         WHEN sum(on_hand - reserved) <= max(threshold) THEN 1 ELSE 0 END
       FROM stock GROUP BY sku""",
    """CREATE TABLE transfers (
         id uuid PRIMARY KEY,
         from_warehouse_id uuid NOT NULL REFERENCES warehouses,
         to_warehouse_id uuid NOT NULL REFERENCES warehouses,
         status text NOT NULL,
         lines jsonb NOT NULL,
         reason text NOT NULL,
         actor_id uuid,
         refusal jsonb,
         version integer NOT NULL,
         created_at timestamptz NOT NULL,
         updated_at timestamptz NOT NULL,
         CONSTRAINT transfers_status
           CHECK (status IN ('IN_TRANSIT', 'COMPLETED', 'REFUSED')))""",
    """CREATE INDEX transfers_under_way ON transfers (id)
         WHERE status = 'IN_TRANSIT'""",
    """CREATE TABLE timed_holds (
         hold_id uuid NOT NULL,
         sku text NOT NULL,
         expires_at timestamptz NOT NULL,
         order_id uuid,
         PRIMARY KEY (hold_id, sku))""",
)


def upgrade() -> None:
    """Make the tables, and number the movements that there are."""
    for statement in STATEMENTS:
        op.execute(statement)
