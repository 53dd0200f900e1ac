"""What can be wrong with money."""

from tests.audit.planting import Plant, one

_OPEN_LEDGER = "ALTER TABLE ledger_lines DISABLE TRIGGER USER"
"""Lines are written once, so a fault in them needs a hand that may do anything."""
_OF_CONFIRMED = "(SELECT id FROM payments WHERE order_id = '%(confirmed)s')"

MONEY = (
    one(
        "ledger-balanced",
        "payments",
        _OPEN_LEDGER,
        "UPDATE ledger_lines SET amount_minor = amount_minor - 1"
        f" WHERE account = 'sales' AND payment_id = {_OF_CONFIRMED}",
    ),
    one(
        "payment-ledger",
        "payments",
        _OPEN_LEDGER,
        "UPDATE ledger_lines SET amount_minor = amount_minor + sign(amount_minor)"
        f" WHERE payment_id = {_OF_CONFIRMED}",
    ),
    one(
        "payment-sums",
        "payments",
        "UPDATE payments SET refunding_minor = 1 WHERE order_id = '%(confirmed)s'",
    ),
    one(
        "payment-bounds",
        "payments",
        "ALTER TABLE payments DROP CONSTRAINT payments_refunds",
        "UPDATE payments SET refunding_minor = captured_minor + 1"
        " WHERE order_id = '%(confirmed)s'",
        "INSERT INTO refunds (id, payment_id, attempt, status, amount_minor, reason,"
        " asks, created_at) SELECT gen_random_uuid(), id, 1, 'PENDING',"
        " captured_minor + 1, '', 0, now() FROM payments"
        " WHERE order_id = '%(confirmed)s'",
    ),
    one(
        "bank-charge-matches",
        "bank",
        "UPDATE charges SET captured = captured - 1 WHERE order_id = '%(confirmed)s'",
    ),
    one(
        "bank-charge-known",
        "bank",
        "INSERT INTO charges (key, amount, currency, token, order_id, attempt, status,"
        " captured, reference, answer_at) VALUES ('unknown', 5, 'USD', 'tok_visa',"
        " 'nobody', 1, 'succeeded', 5, 'ch_x', now())",
    ),
    Plant(
        "bank-charged-once",
        (
            ("orders", "UPDATE orders SET attempt = 2 WHERE id = '%(confirmed)s'"),
            (
                "bank",
                (
                    "INSERT INTO charges (key, amount, currency, token, order_id,"
                    " attempt, status, captured, reference, answer_at)"
                    " SELECT '%(person)s', amount, currency, token, order_id, 2,"
                    " status,"
                    " captured, 'ch_2', now()"
                    " FROM charges WHERE order_id = '%(confirmed)s'"
                ),
            ),
            (
                "payments",
                (
                    "INSERT INTO attempts (payment_id, number, status, provider, key,"
                    " amount_minor, method, asks, created_at) SELECT payment_id, 2,"
                    " 'UNKNOWN', provider, '%(person)s', amount_minor, method, 1, now()"
                    f" FROM attempts WHERE payment_id = {_OF_CONFIRMED}"
                ),
            ),
        ),
    ),
    one(
        "bank-refund-matches",
        "bank",
        "UPDATE refunds SET amount = amount - 1 WHERE charge_key IN"
        " (SELECT key FROM charges WHERE order_id = '%(other)s')",
        "UPDATE charges SET refunded = refunded - 1 WHERE order_id = '%(other)s'",
    ),
    one(
        "bank-refund-matches",
        "bank",
        "UPDATE charges SET refunded = refunded - 1 WHERE order_id = '%(other)s'",
        why="the bank's sum",
    ),
    one(
        "bank-refund-known",
        "bank",
        "INSERT INTO refunds (key, charge_key, amount, currency, status, reference)"
        " SELECT 'unknown', key, 1, currency, 'succeeded', 're_x' FROM charges"
        " WHERE order_id = '%(confirmed)s'",
        "UPDATE charges SET refunded = 1 WHERE order_id = '%(confirmed)s'",
    ),
    one(
        "refund-of-attempt",
        "payments",
        "UPDATE refunds SET attempt = 2 WHERE payment_id IN"
        " (SELECT id FROM payments WHERE order_id = '%(other)s')",
    ),
    Plant(
        "refund-of-attempt",
        (
            ("orders", "UPDATE orders SET attempt = 2 WHERE id = '%(confirmed)s'"),
            (
                "payments",
                (
                    "INSERT INTO attempts (payment_id, number, status, provider, key,"
                    " amount_minor, method, asks, created_at) SELECT payment_id, 2,"
                    " 'LATE', provider, '%(person)s', amount_minor, method, 1, now()"
                    f" FROM attempts WHERE payment_id = {_OF_CONFIRMED}"
                ),
            ),
            (
                "payments",
                (
                    "UPDATE payments SET captured_minor = 2 * captured_minor"
                    " WHERE order_id = '%(confirmed)s'"
                ),
            ),
            (
                "payments",
                (
                    "INSERT INTO ledger_lines SELECT '%(person)s', line, payment_id,"
                    " account, amount_minor, currency, now() FROM ledger_lines"
                    f" WHERE payment_id = {_OF_CONFIRMED}"
                ),
            ),
            (
                "bank",
                (
                    "INSERT INTO charges (key, amount, currency, token, order_id,"
                    " attempt, status, captured, reference, answer_at)"
                    " SELECT '%(person)s', amount, currency, token, order_id, 2,"
                    " status, captured, 'ch_2', now()"
                    " FROM charges WHERE order_id = '%(confirmed)s'"
                ),
            ),
        ),
        why="late money kept",
    ),
    one(
        "bank-hold-matches",
        "bank",
        "UPDATE charges SET status = 'authorized' WHERE order_id = '%(let_go)s'",
    ),
    one(
        "bank-hold-matches",
        "bank",
        "UPDATE charges SET status = 'voided' WHERE order_id = '%(held)s'",
        why="let go",
    ),
    one(
        "bank-moved-once",
        "bank",
        "INSERT INTO moves (key, kind, charge_key, amount, currency, status, reference)"
        " SELECT 'other', 'void', charge_key, amount, currency, status, 'vo_x'"
        " FROM moves WHERE kind = 'capture'",
    ),
    one(
        "bank-moved-once",
        "bank",
        "UPDATE moves SET charge_key = 'nobody' WHERE kind = 'void'",
        why="unknown",
    ),
    one(
        "reconciled",
        "payments",
        "INSERT INTO discrepancies (provider, transaction, kind, reconciliation_id,"
        " currency, found_at) VALUES ('sandbox', 'ch_x', 'MISSING_HERE',"
        " gen_random_uuid(), 'USD', now())",
    ),
)
