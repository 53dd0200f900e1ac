"""What inventory shows to who compares, and what it checks by itself."""

from persistence.kit.books import ALWAYS, SINCE, Books, Self, Shown

OVERDUE_SECONDS = 30

_TOUCHED = f"""
WITH touched AS (
  SELECT sku FROM stock WHERE {SINCE.format(row="stock")}
  UNION SELECT sku FROM movements WHERE {SINCE.format(row="movements")}
  UNION SELECT sku FROM holds WHERE {SINCE.format(row="holds")}
  UNION SELECT sku FROM levels WHERE {SINCE.format(row="levels")}
  UNION SELECT key FROM removals
    WHERE name IN ('stock', 'movements', 'levels') AND {SINCE.format(row="removals")})
"""

_BOUNDS = f"""
SELECT sku || ' ' || warehouse_id, 'reserved ' || reserved || ', on hand ' || on_hand
FROM stock WHERE {SINCE.format(row="stock")}
  AND NOT (0 <= reserved AND reserved <= on_hand)"""

_MOVEMENTS = f"""{_TOUCHED},
moves AS (
  SELECT sku, warehouse_id, version, on_hand_after, reserved_after,
    row(version - 1, on_hand_before, reserved_before)::text AS begins,
    row(coalesce(lag(version) OVER chain, 0),
      coalesce(lag(on_hand_after) OVER chain, 0),
      coalesce(lag(reserved_after) OVER chain, 0))::text AS at,
    lead(version) OVER chain AS next
  FROM movements WHERE sku IN (SELECT sku FROM touched)
  WINDOW chain AS (PARTITION BY sku, warehouse_id ORDER BY version)),
ends AS (
  SELECT coalesce(rows.sku, moves.sku) AS sku,
    coalesce(rows.warehouse_id, moves.warehouse_id) AS warehouse_id,
    row(coalesce(moves.version, 0), coalesce(moves.on_hand_after, 0),
      coalesce(moves.reserved_after, 0))::text AS reached,
    row(coalesce(rows.version, 0), coalesce(rows.on_hand, 0),
      coalesce(rows.reserved, 0))::text AS stands
  FROM (SELECT * FROM stock WHERE sku IN (SELECT sku FROM touched)) AS rows
  FULL JOIN (SELECT * FROM moves WHERE next IS NULL) AS moves
    ON rows.sku = moves.sku AND rows.warehouse_id = moves.warehouse_id)
SELECT sku || ' ' || warehouse_id,
  'movement ' || version || ' begins at ' || begins || ', not at ' || at
FROM moves WHERE begins <> at
UNION ALL
SELECT sku || ' ' || warehouse_id,
  'movements end at ' || reached || ', the row is ' || stands
FROM ends WHERE reached <> stands"""

_RESERVED = f"""{_TOUCHED},
held AS (
  SELECT sku, part.key::uuid AS warehouse_id, sum(part.value::int) AS pieces
  FROM holds, jsonb_each_text(parts) AS part
  WHERE state IN ('HELD', 'COMMITTED') AND sku IN (SELECT sku FROM touched)
  GROUP BY 1, 2)
SELECT coalesce(rows.sku, held.sku) || ' '
    || coalesce(rows.warehouse_id, held.warehouse_id),
  'reserved ' || coalesce(reserved, 0) || ', holds ' || coalesce(pieces, 0)
FROM (SELECT * FROM stock WHERE sku IN (SELECT sku FROM touched)) AS rows
FULL JOIN held ON rows.sku = held.sku AND rows.warehouse_id = held.warehouse_id
WHERE coalesce(reserved, 0) <> coalesce(pieces, 0)"""

# Not where it moves just now, nor where a warehouse was closed: see the audit's check.
_LEVEL = f"""{_TOUCHED},
now_is AS (
  SELECT sku, CASE WHEN sum(on_hand - reserved) <= 0 THEN 2
    WHEN sum(on_hand - reserved) <= max(threshold) THEN 1 ELSE 0 END AS level
  FROM stock WHERE sku IN (SELECT sku FROM touched) GROUP BY sku)
SELECT sku, 'told ' || coalesce(told, 2) || ', is ' || level
FROM now_is LEFT JOIN levels USING (sku)
WHERE coalesce(told, 2) <> level
  AND NOT EXISTS (SELECT FROM transfers
    WHERE status = 'IN_TRANSIT' AND lines ? now_is.sku)
  AND NOT EXISTS (SELECT FROM stock JOIN warehouses ON id = warehouse_id
    WHERE sku = now_is.sku AND closed_at IS NOT NULL)"""

_CLOSED = """
SELECT sku || ' ' || warehouse_id,
  'closed with ' || on_hand || ' on hand, ' || reserved || ' reserved'
FROM stock JOIN warehouses ON id = warehouse_id
WHERE closed_at IS NOT NULL AND (on_hand <> 0 OR reserved <> 0)
  AND $1::text IS NOT NULL"""

_NUMBERED = f"""{_TOUCHED}
SELECT sku, count(*) || ' movements, numbered up to ' || max(number) FROM movements
WHERE sku IN (SELECT sku FROM touched)
GROUP BY sku HAVING count(*) <> max(number) OR min(number) <> 1"""

_EXPLAINED = f"""
SELECT sku || ' ' || number, kind || ': ' || CASE
    WHEN may IS NULL THEN 'no such kind' WHEN NOT may THEN 'changes what it may not'
    WHEN reason = '' THEN 'no reason' WHEN of_transfer AND transfer_id IS NULL
      THEN 'of no transfer' WHEN kind = 'SHIP' AND order_id IS NULL
      THEN 'for no order' ELSE 'promised to nobody' END
FROM (SELECT *, kind LIKE 'TRANSFER\\_%' AS of_transfer, CASE kind
    WHEN 'ADJUST' THEN promised = 0
    WHEN 'THRESHOLD' THEN pieces = 0 AND promised = 0
    WHEN 'RESERVE' THEN pieces = 0 AND promised > 0
    WHEN 'RELEASE' THEN pieces = 0 AND promised < 0
    WHEN 'SHIP' THEN pieces = promised AND promised < 0
    WHEN 'TRANSFER_OUT' THEN pieces < 0 AND promised IN (0, pieces)
    WHEN 'TRANSFER_IN' THEN pieces > 0 AND promised = 0 END AS may
  FROM (SELECT *, on_hand_after - on_hand_before AS pieces,
      reserved_after - reserved_before AS promised
    FROM movements WHERE {SINCE.format(row="movements")}) AS changed) AS judged
WHERE may IS NOT TRUE OR reason = '' OR (of_transfer AND transfer_id IS NULL)
  OR (kind = 'SHIP' AND order_id IS NULL)
  OR (kind IN ('RESERVE', 'RELEASE')
      AND (order_id IS NULL) = (transfer_id IS NULL))"""

_WHOLE = f"""
WITH touched AS (
  SELECT id FROM transfers WHERE {SINCE.format(row="transfers")}
  UNION SELECT transfer_id FROM movements
    WHERE {SINCE.format(row="movements")} AND transfer_id IS NOT NULL),
lines AS (
  SELECT id, status, from_warehouse_id, to_warehouse_id, line.key AS sku,
    line.value::int AS wanted
  FROM transfers, jsonb_each_text(lines) AS line
  WHERE id IN (SELECT id FROM touched)),
moved AS (
  SELECT lines.*, gone, came FROM lines CROSS JOIN LATERAL (
    SELECT -coalesce(sum(on_hand_after - on_hand_before)
        FILTER (WHERE warehouse_id = from_warehouse_id), 0) AS gone,
      coalesce(sum(on_hand_after - on_hand_before)
        FILTER (WHERE warehouse_id = to_warehouse_id), 0) AS came
    FROM movements WHERE movements.sku = lines.sku AND transfer_id = lines.id
      AND kind LIKE 'TRANSFER\\_%') AS sums)
SELECT id || ' ' || sku,
  status || ': ' || wanted || ' wanted, ' || gone || ' out, ' || came || ' in'
FROM moved WHERE gone <> came OR NOT (
  came = CASE status WHEN 'COMPLETED' THEN wanted ELSE 0 END
  OR status = 'IN_TRANSIT' AND came IN (0, wanted))
UNION ALL
SELECT sku || ' ' || number, 'of no transfer that there is' FROM movements
WHERE {SINCE.format(row="movements")} AND transfer_id IS NOT NULL
  AND kind LIKE 'TRANSFER\\_%'
  AND NOT EXISTS (SELECT FROM transfers WHERE transfers.id = transfer_id)"""

_IN_TIME = f"""
SELECT hold_id || ' ' || holds.sku, 'HELD, and its time was ' || expires_at
FROM timed_holds JOIN holds ON holds.order_id = hold_id AND holds.sku = timed_holds.sku
WHERE state = 'HELD' AND $1::text IS NOT NULL
  AND expires_at < now() - interval '{OVERDUE_SECONDS} seconds'"""

_OF_STOCK = ("stock", "movements", "holds", "levels")

BOOKS = Books(
    shown=(
        Shown(
            "holds",
            "order_id, sku, state, quantity, shipped, parts",
            "order_id",
            walk="order_id",
        ),
        Shown("timed_holds", "hold_id, sku, expires_at", "hold_id"),
        Shown(
            "transfers",
            "id, from_warehouse_id, to_warehouse_id, status, lines",
            "id",
        ),
        Shown(
            "stock",
            "sku, warehouse_id, on_hand, reserved, threshold, version",
            "sku",
            kind="text",
            walk="sku",
        ),
        Shown("levels", "sku, told", "sku", kind="text"),
        Shown("movements", "sku, number", "sku", kind="text"),
        Shown("warehouses", "id, closed_at", "id"),
        Shown(
            "shipped",
            "sku, number, warehouse_id, version, kind, reason, order_id, transfer_id,"
            " on_hand_before, on_hand_after, reserved_before, reserved_after",
            "order_id",
            source="movements",
            where="kind = 'SHIP'",
        ),
    ),
    checks=(
        Self("stock-bounds", ("stock",), _BOUNDS),
        Self("stock-movements", ("stock", "movements"), _MOVEMENTS),
        Self("stock-reserved", ("stock", "holds"), _RESERVED),
        Self("stock-level", _OF_STOCK, _LEVEL),
        Self("warehouse-closed-empty", ("warehouses", "stock"), _CLOSED),
        Self("movement-numbered", ("movements",), _NUMBERED),
        Self("movement-explained", ("movements",), _EXPLAINED),
        Self("transfer-whole", ("transfers", "movements"), _WHOLE),
        Self("hold-in-time", (ALWAYS,), _IN_TIME),
    ),
    noted=True,
)
