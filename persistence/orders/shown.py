"""What orders show to who compares, and what they check by themselves."""

from persistence.kit.books import MOVED, SINCE, Books, Self, Shown

_SLOT = "(get_byte(uuid_send(order_id), 15) & 63)"
"""The slot of an order: its id carries its key's hash in its last bytes."""

_SELLERS = f"""
WITH touched AS (
  SELECT seller_id FROM order_lines WHERE {SINCE.format(row="order_lines")}
  UNION SELECT seller_id FROM seller_totals WHERE {SINCE.format(row="seller_totals")}
  UNION SELECT key::uuid FROM removals
    WHERE name IN ('seller_totals', 'order_lines') AND {SINCE.format(row="removals")}),
counted AS (
  SELECT seller_id, {_SLOT} AS slot, count(DISTINCT order_id) AS orders,
    count(*) AS lines, sum(quantity * unit_amount)::bigint AS amount
  FROM order_lines
  WHERE in_progress AND seller_id IN (SELECT seller_id FROM touched) GROUP BY 1, 2),
kept AS (
  SELECT seller_id, slot, orders, lines, amount FROM seller_totals
  WHERE seller_id IN (SELECT seller_id FROM touched)),
pairs AS (
  SELECT coalesce(kept.seller_id, counted.seller_id) || ' slot '
      || coalesce(kept.slot, counted.slot) AS ids,
    row(coalesce(kept.orders, 0), coalesce(kept.lines, 0), coalesce(kept.amount, 0))
      ::text AS told,
    row(coalesce(counted.orders, 0), coalesce(counted.lines, 0),
      coalesce(counted.amount, 0))::text AS found
  FROM kept FULL JOIN counted
    ON kept.seller_id = counted.seller_id AND kept.slot = counted.slot)
SELECT ids, told || ', its lines come to ' || found FROM pairs WHERE told <> found"""

_NUMBERS = f"""
SELECT number, count(*) || ' orders have this number' FROM orders WHERE number IN
  (SELECT number FROM orders WHERE {SINCE.format(row="orders")})
GROUP BY number HAVING count(*) > 1"""

# An answer is msgpack: the name `order_id`, then a text of 36 bytes.
_NAME = r"'\xa86f726465725f6964d924'::bytea"
_SPOKEN = f"""
SELECT id, words || ', and not there' FROM (
  SELECT convert_from(
      substring(answer FROM position({_NAME} IN answer) + 11 FOR 36), 'LATIN1') AS id,
    'in a remembered answer' AS words
  FROM handled WHERE {SINCE.format(row="handled")} AND answer_kind = 0
    AND position({_NAME} IN answer) > 0
  UNION
  SELECT payload::jsonb -> 'data' ->> 'order_id', 'told by ' || subject
  FROM outbox WHERE {SINCE.format(row="outbox")}) AS spoken
WHERE NOT EXISTS (SELECT FROM orders WHERE orders.id = spoken.id::uuid)"""

_AT_REST = f"""
SELECT carts.buyer, coalesce('locked for ' || ordering || ', which is '
    || coalesce(stage, 'not there'), 'what it gave away was not taken')
FROM carts LEFT JOIN orders ON orders.id = ordering
WHERE {SINCE.format(row="carts")} AND
  (ordering IS NOT NULL AND coalesce(stage, 'SETTLED') IN ('SETTLED', 'AWAITING')
   OR ordering IS NULL AND given IS NOT NULL)"""

_ENDS = f"""
SELECT buyer, 'nothing is due for it' FROM carts
WHERE {SINCE.format(row="carts")}
  AND NOT EXISTS (SELECT FROM due WHERE due.name = 'cart:' || buyer)"""

BOOKS = Books(
    shown=(
        Shown(
            "orders",
            "id, number, user_id, status, stage, payment_id, payment_status, currency,"
            " items_amount, discount_amount, shipping_amount, tax_amount, grand_amount,"
            # Whether there is an address, and never which.
            " refunded_amount, CASE WHEN email IS NOT NULL THEN '-' END, shipments,"
            " attempt, version, updated_at",
            "id",
            walk="id",
        ),
        Shown(
            "order_lines",
            "order_id, position, sku, product_id, quantity, unit_amount, status,"
            " shipped, delivered, seller_id, in_progress",
            "order_id",
        ),
        Shown("timeline", "order_id, version, status, actor", "order_id"),
        Shown("carts", "buyer, state, ordering, given", "buyer", kind="text"),
        Shown(
            "product_replica",
            "sku, product_id, version, name, options, price_amount, currency,"
            " seller_id, on_sale",
            "sku",
            kind="text",
            walk="sku",
        ),
        Shown("seller_totals", "seller_id, slot", "seller_id"),
    ),
    checks=(
        Self("seller-totals", ("order_lines", "seller_totals"), _SELLERS),
        Self("order-number-once", ("orders",), _NUMBERS),
        Self("order-answered", (MOVED,), _SPOKEN),
        Self("cart-at-rest", ("carts",), _AT_REST),
        Self("cart-ends", ("carts",), _ENDS),
    ),
    noted=True,
)
