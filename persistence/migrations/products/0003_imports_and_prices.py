"""Files that are imported, and what every price was before."""

from alembic import op

revision = "0003"
down_revision = "0002"

IMPORTS = """
CREATE TABLE imports (
    id uuid PRIMARY KEY,
    owner_id uuid NOT NULL,
    editor_id uuid,
    seller_id uuid,
    status text NOT NULL CONSTRAINT imports_status
        CHECK (status IN ('PENDING', 'RUNNING', 'DONE', 'FAILED')),
    place integer NOT NULL,
    tries integer NOT NULL,
    rows_total integer,
    rows_done integer NOT NULL,
    created integer NOT NULL,
    updated integer NOT NULL,
    unchanged integer NOT NULL,
    failed integer NOT NULL,
    errors_total integer NOT NULL,
    warnings_total integer NOT NULL,
    version integer NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE TABLE import_pieces (
    import_id uuid,
    start integer,
    data bytea NOT NULL,
    PRIMARY KEY (import_id, start)
);
CREATE TABLE import_issues (
    import_id uuid,
    number integer,
    warning boolean NOT NULL,
    line integer NOT NULL,
    field text NOT NULL,
    code text NOT NULL,
    detail text NOT NULL,
    PRIMARY KEY (import_id, number)
);
"""

PRICES = """
CREATE TABLE prices (
    product_id uuid REFERENCES products (id),
    version integer,
    sku text,
    previous_amount bigint NOT NULL,
    amount bigint NOT NULL,
    currency text NOT NULL,
    changed_at timestamptz NOT NULL,
    actor_id uuid,
    PRIMARY KEY (product_id, version, sku)
);
"""


def upgrade() -> None:
    """Make the tables; what prices were before this is not known."""
    for script in (IMPORTS, PRICES):
        for statement in script.split(";\n"):
            if statement.strip():
                op.execute(statement)
