"""Held money, late money, refunds by attempt, reconciliation, and keys that rotate."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ATTEMPTS = """
ALTER TABLE attempts
    ADD COLUMN hold boolean NOT NULL DEFAULT false,
    ADD COLUMN given_up boolean NOT NULL DEFAULT false,
    ADD COLUMN expires_at timestamptz,
    DROP CONSTRAINT attempts_status,
    ADD CONSTRAINT attempts_status CHECK (status IN (
        'OPEN', 'UNKNOWN', 'PENDING', 'AUTHORIZED', 'CAPTURING', 'VOIDING',
        'SUCCEEDED', 'DECLINED', 'VOIDED', 'EXPIRED', 'LATE'))
"""

# Until now only one attempt of a payment could have taken money.
REFUNDS = (
    "ALTER TABLE refunds ADD COLUMN attempt integer",
    """
    UPDATE refunds SET attempt = attempts.number FROM attempts
        WHERE attempts.payment_id = refunds.payment_id
          AND attempts.status = 'SUCCEEDED'
    """,
    "ALTER TABLE refunds ALTER COLUMN attempt SET NOT NULL",
)

# Lines are found by their time; as they come in its order, this costs next to nothing.
LEDGER_BY_TIME = """
CREATE INDEX ledger_lines_by_time ON ledger_lines USING brin (created_at)
"""

REFUSE_CHANGED_LINES = """
CREATE FUNCTION refuse_changed_lines() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'ledger lines are written once'
        USING ERRCODE = 'check_violation';
END $$
"""

LEDGER_LINES_KEPT = """
CREATE TRIGGER ledger_lines_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_lines
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_changed_lines()
"""

PROVIDERS = """
CREATE TABLE providers (
    name text PRIMARY KEY,
    failing_since timestamptz,
    reconciled_until timestamptz,
    reconcile_at timestamptz
)
"""

RECONCILIATIONS = """
CREATE TABLE reconciliations (
    id uuid PRIMARY KEY,
    provider text NOT NULL,
    since timestamptz NOT NULL,
    until timestamptz NOT NULL,
    transactions integer NOT NULL,
    matched integer NOT NULL,
    found integer NOT NULL,
    created_at timestamptz NOT NULL
)
"""

DISCREPANCIES = """
CREATE TABLE discrepancies (
    provider text NOT NULL,
    transaction text NOT NULL,
    kind text NOT NULL CONSTRAINT discrepancies_kind CHECK (kind IN (
        'MISSING_HERE', 'MISSING_THERE', 'AMOUNT_DIFFERS', 'STATUS_DIFFERS')),
    reconciliation_id uuid NOT NULL,
    payment_id uuid,
    here_minor bigint,
    there_minor bigint,
    currency text NOT NULL,
    found_at timestamptz NOT NULL,
    resolved_at timestamptz,
    PRIMARY KEY (provider, transaction, kind)
)
"""

DISCREPANCIES_BY_RECONCILIATION = """
CREATE INDEX discrepancies_by_reconciliation ON discrepancies (reconciliation_id)
"""

# Empty: sealed before keys were counted; such a row is sealed anew, once.
SEALED_BY = """
ALTER TABLE payment_methods ADD COLUMN sealed_by text NOT NULL DEFAULT ''
"""

METHODS_BY_KEY = """
CREATE INDEX payment_methods_by_key ON payment_methods (sealed_by, id)
"""


def upgrade() -> None:
    """Widen what there is, then make the new tables."""
    for statement in (
        ATTEMPTS,
        *REFUNDS,
        LEDGER_BY_TIME,
        REFUSE_CHANGED_LINES,
        LEDGER_LINES_KEPT,
        PROVIDERS,
        RECONCILIATIONS,
        DISCREPANCIES,
        DISCREPANCIES_BY_RECONCILIATION,
        SEALED_BY,
        METHODS_BY_KEY,
    ):
        op.execute(statement)
