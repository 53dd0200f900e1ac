"""What can be wrong with orders and carts."""

from uuid import uuid4

from tests.audit.planting import Plant, one, packed

ORDERS = (
    one(
        "order-totals",
        "orders",
        "UPDATE order_lines SET unit_amount = unit_amount + 1"
        " WHERE order_id = '%(confirmed)s' AND position = 0",
    ),
    one(
        "order-totals",
        "orders",
        "ALTER TABLE orders DROP CONSTRAINT orders_sum",
        "UPDATE orders SET tax_amount = 1 WHERE id = '%(confirmed)s'",
        why="grand",
    ),
    one(
        "order-status",
        "orders",
        "UPDATE order_lines SET status = 'PENDING' WHERE order_id = '%(confirmed)s'",
    ),
    one(
        "order-status",
        "orders",
        "UPDATE order_lines SET status = 'CONFIRMED' WHERE order_id = '%(declined)s'",
        why="cancelled",
    ),
    one(
        "seller-totals",
        "orders",
        "UPDATE order_lines SET seller_id = product_id"
        " WHERE order_id = '%(confirmed)s'",
    ),
    one(
        "seller-totals",
        "orders",
        "INSERT INTO seller_totals VALUES (gen_random_uuid(), 1, 1, 1, 1000)",
        why="come to (0, 0, 0)",
    ),
    one(
        "replica-of-products",
        "orders",
        "UPDATE product_replica SET price_amount = 1 WHERE sku = 'MANY'",
        why="price",
    ),
    one(
        "replica-of-products",
        "orders",
        "UPDATE product_replica SET version = 9 WHERE sku = 'MANY'",
        why="in version 9",
    ),
    one(
        "replica-of-products",
        "products",
        "UPDATE products SET version = 9",
        why="it is in 9",
    ),
    one(
        "replica-of-products",
        "orders",
        "UPDATE product_replica SET sku = 'NONE' WHERE sku = 'MANY'",
        why="no such SKU",
    ),
    one(
        "order-stage",
        "orders",
        "UPDATE orders SET stage = 'COMMITTING' WHERE id = '%(confirmed)s'",
    ),
    one(
        "order-number-once",
        "orders",
        "DROP INDEX ix_orders_number",
        "UPDATE orders SET number = (SELECT number FROM orders"
        " WHERE id = '%(guest)s') WHERE id = '%(confirmed)s'",
    ),
    one(
        "order-paid",
        "orders",
        "UPDATE orders SET tax_amount = 1, grand_amount = grand_amount + 1"
        " WHERE id = '%(confirmed)s'",
    ),
    Plant(
        "order-paid",
        (
            (
                "orders",
                (
                    "UPDATE orders SET payment_id = gen_random_uuid()"
                    " WHERE id = '%(confirmed)s'"
                ),
            ),
        ),
        why="another payment",
    ),
    Plant(
        "order-cancelled-repaid",
        (
            (
                "orders",
                "UPDATE orders SET refunded_amount = 0 WHERE id = '%(cancelled)s'",
            ),
            ("payments", "ALTER TABLE ledger_lines DISABLE TRIGGER USER"),
            (
                "payments",
                (
                    "DELETE FROM ledger_lines WHERE transaction_id IN"
                    " (SELECT refunds.id FROM refunds"
                    " JOIN payments ON payments.id = payment_id"
                    " WHERE order_id = '%(cancelled)s')"
                ),
            ),
            (
                "payments",
                (
                    "DELETE FROM refunds WHERE payment_id IN (SELECT id FROM payments"
                    " WHERE order_id = '%(cancelled)s')"
                ),
            ),
            (
                "payments",
                (
                    "UPDATE payments SET refunded_minor = 0"
                    " WHERE order_id = '%(cancelled)s'"
                ),
            ),
            (
                "bank",
                (
                    "DELETE FROM refunds WHERE charge_key IN (SELECT key FROM charges"
                    " WHERE order_id = '%(cancelled)s')"
                ),
            ),
            (
                "bank",
                "UPDATE charges SET refunded = 0 WHERE order_id = '%(cancelled)s'",
            ),
        ),
    ),
    one(
        "order-paid",
        "orders",
        "UPDATE orders SET payment_status = 'AUTHORIZED' WHERE id = '%(taken)s'",
        why="shipped on a hold",
    ),
    one(
        "order-paid",
        "orders",
        "UPDATE orders SET payment_status = 'SUCCEEDED' WHERE id = '%(held)s'",
        why="only held",
    ),
    one(
        "order-paid",
        "orders",
        "UPDATE orders SET payment_status = 'EXPIRED' WHERE id = '%(confirmed)s'",
        why="paid, and does not know",
    ),
    Plant(
        "order-cancelled-repaid",
        (
            (
                "payments",
                (
                    "UPDATE attempts SET status = 'AUTHORIZED' WHERE payment_id IN"
                    " (SELECT id FROM payments WHERE order_id = '%(let_go)s')"
                ),
            ),
            (
                "bank",
                (
                    "UPDATE charges SET status = 'authorized'"
                    " WHERE order_id = '%(let_go)s'"
                ),
            ),
        ),
        why="held",
    ),
    one(
        "order-refunds",
        "orders",
        "UPDATE orders SET refunded_amount = 1, status = 'PARTIALLY_REFUNDED'"
        " WHERE id = '%(confirmed)s'",
        "UPDATE timeline SET status = 'PARTIALLY_REFUNDED'"
        " WHERE order_id = '%(confirmed)s' AND version = 2",
    ),
    one(
        "order-status",
        "orders",
        "UPDATE orders SET status = 'REFUNDED' WHERE id = '%(other)s'",
        "UPDATE timeline SET status = 'REFUNDED' WHERE order_id = '%(other)s'",
        why="refunded in part",
    ),
    one(
        "order-timeline",
        "orders",
        "DELETE FROM timeline WHERE order_id = '%(delivered)s' AND version = 2",
    ),
    one(
        "order-timeline",
        "orders",
        "UPDATE orders SET version = version + 1 WHERE id = '%(confirmed)s'",
        why="the last",
    ),
    one(
        "order-timeline",
        "orders",
        "UPDATE timeline SET status = 'PENDING' WHERE order_id = '%(confirmed)s'",
        why="another status",
    ),
    one(
        "order-timeline",
        "orders",
        "UPDATE timeline SET actor = 'NOBODY' WHERE order_id = '%(confirmed)s'",
        why="by nobody",
    ),
    one(
        "order-attempts",
        "orders",
        "UPDATE orders SET attempt = 0 WHERE id = '%(confirmed)s'",
    ),
    one(
        "order-answered",
        "orders",
        "INSERT INTO handled (command_id, day, slot, state, answer_kind, answer)"
        " VALUES (gen_random_uuid(), current_date, 0, 2, 0, "
        + packed({"order_id": str(uuid4()), "status": "CONFIRMED"})
        + ")",
    ),
)

_CART = "INSERT INTO carts (buyer, state, lines, version, updated_at, "
_ENDS = (
    "INSERT INTO due (name, id, slot, at, kind, message) VALUES ('cart:x',"
    " gen_random_uuid(), 0, now() + interval '9 days', 'orders.expire_cart', '\\x80')"
)

CARTS = (
    one(
        "cart-at-rest",
        "orders",
        f"{_CART} ordering) VALUES ('x', 'OPEN', '[]', 1, now(), '%(confirmed)s')",
        _ENDS,
    ),
    one(
        "cart-at-rest",
        "orders",
        f"{_CART} ordering) VALUES ('x', 'OPEN', '[]', 1, now(), gen_random_uuid())",
        _ENDS,
        why="an order that is not there",
    ),
    one(
        "cart-at-rest",
        "orders",
        f"{_CART} given) VALUES ('x', 'MERGED', '[]', 2, now(), '[]')",
        _ENDS,
        why="given away",
    ),
    one(
        "cart-ends",
        "orders",
        f"{_CART} given) VALUES ('x', 'OPEN', '[]', 1, now(), NULL)",
    ),
)
