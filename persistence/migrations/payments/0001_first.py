"""The first tables of payments: payments, attempts, refunds, the ledger, methods."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Rows are written once and updated once or twice: room for HOT updates. No index but
# the primary keys, no foreign key: a payment's id follows from the order's, and one
# writer writes parent and child in one transaction.
PAYMENTS = """
CREATE TABLE payments (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL,
    user_id uuid,
    currency text NOT NULL,
    method text NOT NULL,
    amount_minor bigint NOT NULL,
    captured_minor bigint NOT NULL,
    refunded_minor bigint NOT NULL,
    refunding_minor bigint NOT NULL,
    version integer NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT payments_refunds CHECK (
        0 <= refunded_minor AND 0 <= refunding_minor
        AND refunded_minor + refunding_minor <= captured_minor)
) WITH (fillfactor = 80)
"""

ATTEMPTS = """
CREATE TABLE attempts (
    payment_id uuid NOT NULL,
    number integer NOT NULL,
    status text NOT NULL CONSTRAINT attempts_status CHECK (
        status IN ('OPEN', 'UNKNOWN', 'PENDING', 'SUCCEEDED', 'DECLINED')),
    provider text NOT NULL,
    key uuid NOT NULL,
    amount_minor bigint NOT NULL,
    method text NOT NULL,
    sealed text,
    decline_code text,
    reference text,
    asks integer NOT NULL,
    created_at timestamptz NOT NULL,
    closed_at timestamptz,
    PRIMARY KEY (payment_id, number)
) WITH (fillfactor = 70)
"""

REFUNDS = """
CREATE TABLE refunds (
    id uuid PRIMARY KEY,
    payment_id uuid NOT NULL,
    status text NOT NULL CONSTRAINT refunds_status CHECK (
        status IN ('PENDING', 'COMPLETED', 'REJECTED')),
    amount_minor bigint NOT NULL CONSTRAINT refunds_amount CHECK (amount_minor > 0),
    reason text NOT NULL,
    reason_code text,
    reference text,
    asks integer NOT NULL,
    created_at timestamptz NOT NULL,
    closed_at timestamptz
)
"""

REFUNDS_BY_PAYMENT = """
CREATE INDEX refunds_by_payment ON refunds (payment_id)
"""

LEDGER_LINES = """
CREATE TABLE ledger_lines (
    transaction_id uuid NOT NULL,
    line smallint NOT NULL,
    payment_id uuid NOT NULL,
    account text NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (transaction_id, line)
)
"""

REFUSE_UNBALANCED_LINES = """
CREATE FUNCTION refuse_unbalanced_lines() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM new_lines GROUP BY transaction_id, currency
               HAVING sum(amount_minor) <> 0) THEN
        RAISE EXCEPTION 'ledger lines of a transaction do not sum to zero'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$
"""

LEDGER_LINES_BALANCED = """
CREATE TRIGGER ledger_lines_balanced AFTER INSERT ON ledger_lines
    REFERENCING NEW TABLE AS new_lines
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_unbalanced_lines()
"""

PAYMENT_METHODS = """
CREATE TABLE payment_methods (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL,
    method text NOT NULL,
    provider text NOT NULL,
    sealed text NOT NULL,
    is_default boolean NOT NULL,
    version integer NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
)
"""

PAYMENT_METHODS_BY_USER = """
CREATE INDEX payment_methods_by_user ON payment_methods (user_id, id)
"""


def upgrade() -> None:
    """Make the tables, and the trigger that keeps the ledger balanced."""
    for statement in (
        PAYMENTS,
        ATTEMPTS,
        REFUNDS,
        REFUNDS_BY_PAYMENT,
        LEDGER_LINES,
        REFUSE_UNBALANCED_LINES,
        LEDGER_LINES_BALANCED,
        PAYMENT_METHODS,
        PAYMENT_METHODS_BY_USER,
    ):
        op.execute(statement)
