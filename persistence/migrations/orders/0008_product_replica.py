"""What carts know of products without asking; filled by events and on first use."""

from alembic import op

revision = "orders_0008"
down_revision = "orders_0007"
branch_labels = None

CHANGES = (
    """CREATE TABLE product_replica (
         sku text PRIMARY KEY,
         product_id uuid NOT NULL,
         version integer NOT NULL CONSTRAINT product_replica_version
           CHECK (version > 0),
         name text NOT NULL,
         options jsonb NOT NULL,
         price_amount bigint NOT NULL,
         currency text NOT NULL,
         image text,
         seller_id uuid,
         on_sale boolean NOT NULL,
         as_of timestamptz NOT NULL) WITH (fillfactor = 80)""",
    "CREATE INDEX product_replica_by_product ON product_replica (product_id)",
)


def upgrade() -> None:
    """Make the table; what is in no row is asked of products, and kept."""
    for change in CHANGES:
        op.execute(change)
