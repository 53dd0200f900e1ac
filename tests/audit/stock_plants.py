"""What can be wrong with holds, stock, movements and transfers."""

from tests.audit.planting import one

HOLDS = (
    one(
        "order-held",
        "inventory",
        "UPDATE holds SET state = 'HELD' WHERE order_id = '%(confirmed)s'",
    ),
    one(
        "order-pending-held",
        "inventory",
        "UPDATE holds SET state = 'COMMITTED' WHERE order_id = '%(pending)s'",
    ),
    one(
        "order-cancelled-free",
        "inventory",
        "UPDATE holds SET state = 'HELD', quantity = 0"
        " WHERE order_id = '%(cancelled)s'",
    ),
    one(
        "hold-of-order",
        "inventory",
        "INSERT INTO holds VALUES (gen_random_uuid(), 'MANY', 1, 'RELEASED', 1, 0,"
        " '{}', now())",
    ),
    one(
        "hold-parts",
        "inventory",
        "UPDATE holds SET parts = jsonb_build_object(gen_random_uuid(), 1)"
        " WHERE order_id = '%(cancelled)s'",
    ),
    one(
        "hold-in-time",
        "inventory",
        "UPDATE timed_holds SET expires_at = now() - interval '1 hour'",
    ),
    one(
        "hold-shipped",
        "orders",
        "UPDATE order_lines SET shipped = 0, delivered = 0"
        " WHERE order_id = '%(delivered)s'",
    ),
    one(
        "hold-shipped",
        "orders",
        "UPDATE orders SET shipments = '[]' WHERE id = '%(partly)s'",
        why="parcels",
    ),
)

_OF_MANY = "FROM movements WHERE sku = 'MANY'"
_LAST = f"sku = 'MANY' AND number = (SELECT max(number) {_OF_MANY})"

STOCK = (
    one(
        "stock-bounds",
        "inventory",
        "ALTER TABLE stock DROP CONSTRAINT stock_sane",
        "UPDATE stock SET on_hand = 0, version = version + 1 WHERE sku = 'LAST'",
        "INSERT INTO movements (sku, number, warehouse_id, version, id, kind, reason,"
        " on_hand_before, on_hand_after, reserved_before, reserved_after, created_at)"
        " SELECT sku, version, warehouse_id, version, gen_random_uuid(), 'ADJUST',"
        " 'planted', 1, 0, reserved, reserved, now() FROM stock WHERE sku = 'LAST'",
    ),
    one(
        "stock-movements",
        "inventory",
        "UPDATE movements SET on_hand_before = on_hand_before + 1,"
        " on_hand_after = on_hand_after + 1 WHERE sku = 'MANY' AND number = 2",
    ),
    one(
        "stock-movements",
        "inventory",
        f"UPDATE movements SET version = version + 1 WHERE {_LAST}",
        why="a gap",
    ),
    one(
        "stock-movements",
        "inventory",
        "UPDATE stock SET on_hand = on_hand + 1 WHERE sku = 'MANY'",
        why="the row",
    ),
    one(
        "stock-reserved",
        "inventory",
        "UPDATE stock SET reserved = reserved + 1 WHERE sku = 'MANY'"
        f" AND warehouse_id = (SELECT warehouse_id FROM movements WHERE {_LAST})",
        f"UPDATE movements SET reserved_after = reserved_after + 1 WHERE {_LAST}",
    ),
    one(
        "stock-level",
        "inventory",
        "UPDATE levels SET told = 0 WHERE sku = 'LAST'",
    ),
    one(
        "stock-level",
        "inventory",
        "DELETE FROM levels WHERE sku = 'MANY'",
        why="never told",
    ),
    one(
        "warehouse-closed-empty",
        "inventory",
        "UPDATE warehouses SET closed_at = now() WHERE code = 'EAST'",
    ),
    one(
        "movement-numbered",
        "inventory",
        "UPDATE movements SET number = number + 1000 WHERE sku = 'MANY' AND number ="
        " (SELECT max(number) FROM movements WHERE sku = 'MANY')",
    ),
    one(
        "movement-explained",
        "inventory",
        "UPDATE movements SET reason = '' WHERE sku = 'MANY' AND number = 1",
        why="no reason",
    ),
    one(
        "movement-explained",
        "inventory",
        "UPDATE movements SET order_id = NULL WHERE sku = 'LAST' AND kind = 'RESERVE'",
        why="for nobody",
    ),
    one(
        "movement-explained",
        "inventory",
        "UPDATE movements SET kind = 'THRESHOLD' WHERE sku = 'MANY' AND number = 1",
        why="another kind",
    ),
    one(
        "transfer-whole",
        "inventory",
        """UPDATE transfers SET lines = '{"MANY": 6, "FEW": 1}'
           WHERE status = 'COMPLETED'""",
    ),
    one(
        "transfer-whole",
        "inventory",
        "UPDATE transfers SET status = 'REFUSED' WHERE status = 'COMPLETED'",
        why="refused, and moved",
    ),
)
