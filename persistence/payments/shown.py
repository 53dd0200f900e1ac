"""What payments show to who compares, and what they check by themselves."""

from persistence.kit.books import ALWAYS, Books, Self, Shown

_ORDER = "(SELECT order_id FROM payments WHERE payments.id = {table}.payment_id)"

BOOKS = Books(
    shown=(
        Shown(
            "payments",
            "id, order_id, currency, captured_minor, refunded_minor, refunding_minor",
            "order_id",
            by="id",
            walk="id",
        ),
        Shown(
            "attempts",
            "payment_id, number, status, provider, key, amount_minor",
            _ORDER.format(table="attempts"),
            by="payment_id",
        ),
        Shown(
            "refunds",
            "id, payment_id, attempt, status, amount_minor",
            _ORDER.format(table="refunds"),
            by="payment_id",
        ),
        Shown(
            "ledger_lines",
            "transaction_id, payment_id, account, amount_minor, currency",
            _ORDER.format(table="ledger_lines"),
            by="payment_id",
        ),
    ),
    checks=(
        Self(
            "reconciled",
            (ALWAYS,),
            """SELECT provider || ' ' || transaction, kind FROM discrepancies
               WHERE resolved_at IS NULL AND $1::text IS NOT NULL""",
        ),
    ),
    noted=True,
)
