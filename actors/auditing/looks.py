"""Looks: what is read of some orders or SKUs, and the checks that must hold of it."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from actors.auditing.books import Books, Check, Kit, Violation, name_of
from actors.auditing.checks import holds, money, orders, replicas
from actors.auditing.checks.effects import stock_shown
from actors.auditing.reading import Ask, as_books, read
from bus.kit.books import Found
from bus.payments import payment_id_of

ORDER_CHECKS: tuple[Check, ...] = (
    orders.order_totals,
    orders.order_status,
    orders.order_stage,
    orders.order_paid,
    orders.order_cancelled_repaid,
    orders.order_refunds,
    orders.order_timeline,
    orders.order_attempts,
    holds.order_held,
    holds.order_pending_held,
    holds.order_cancelled_free,
    holds.hold_of_order,
    holds.hold_parts,
    holds.hold_shipped,
    money.ledger_balanced,
    money.payment_ledger,
    money.payment_sums,
    money.refund_of_attempt,
    money.payment_bounds,
)
SKU_CHECKS: tuple[Check, ...] = (stock_shown, replicas.replica_of_products)


class Look(NamedTuple):
    """One kind of look: how its keys' rows are read, cut out, and checked."""

    read: Callable[[Ask, Sequence[str]], Any]
    only: Callable[[Books, Sequence[str]], Books]
    checks: tuple[Check, ...]


async def read_orders(ask: Ask, keys: Sequence[str]) -> Books:
    """All that is known of some orders (or of holds that are no order's)."""
    paid = [str(payment_id_of(UUID(key))) for key in keys]
    found = await read(
        ask,
        {
            "orders": {"orders": keys, "order_lines": keys, "timeline": keys},
            "inventory": {
                "holds": keys,
                "timed_holds": keys,
                "transfers": keys,
                "shipped": keys,
            },
            "payments": {
                "payments": paid,
                "attempts": paid,
                "refunds": paid,
                "ledger_lines": paid,
            },
        },
    )
    return Books(**as_books(found))


async def read_skus(ask: Ask, keys: Sequence[str]) -> Books:
    """What inventory, products and carts say of some SKUs."""
    found = await read(
        ask,
        {
            "inventory": {"stock": keys},
            "products": {"sku_stock": keys, "variants": keys},
            "orders": {"product_replica": keys},
        },
    )
    named = {str(row.product_id) for row in (*found["replica"], *found["variants"])}
    more = await read(ask, {"products": {"products": sorted(named)}}) if named else {}
    return Books(**as_books(found | more), kits={"products": Kit()})


def only_orders(books: Books, keys: Sequence[str]) -> Books:
    """The part of the books that is about these orders."""
    wanted = {UUID(key) for key in keys}
    paid = {payment_id_of(key) for key in wanted}
    return _cut(
        books,
        orders=("id", wanted),
        lines=("order_id", wanted),
        steps=("order_id", wanted),
        holds=("order_id", wanted),
        timed_holds=("hold_id", wanted),
        transfers=("id", wanted),
        movements=("order_id", wanted),
        payments=("id", paid),
        attempts=("payment_id", paid),
        refunds=("payment_id", paid),
        ledger=("payment_id", paid),
    )


def only_skus(books: Books, keys: Sequence[str]) -> Books:
    """The part of the books that is about these SKUs; products stay."""
    by_sku = ("sku", set(keys))
    return _cut(books, stock=by_sku, sku_stock=by_sku, variants=by_sku, replica=by_sku)


LOOKS: dict[str, Look] = {
    "order": Look(read_orders, only_orders, ORDER_CHECKS),
    "sku": Look(read_skus, only_skus, SKU_CHECKS),
}


async def look(ask: Ask, unit: str, keys: Sequence[str]) -> dict[str, list[Found]]:
    """What is wrong with some keys of a unit, by key; raises Away."""
    one = LOOKS[unit]
    return found_by_key(one, await one.read(ask, keys), keys)


def found_by_key(
    one: Look, books: Books, keys: Sequence[str]
) -> dict[str, list[Found]]:
    """What the checks say, by key: where they say something the keys are halved."""
    found = said(books, one.checks)
    if not found:
        return {}
    if len(keys) == 1:
        return {keys[0]: found}
    middle = len(keys) // 2
    halves = (keys[:middle], keys[middle:])
    parts = [found_by_key(one, one.only(books, half), half) for half in halves]
    return parts[0] | parts[1]


def said(books: Books, checks: Iterable[Check]) -> list[Found]:
    """What the checks say of the books."""
    violations = (
        Violation(name_of(check), ids, detail)
        for check in checks
        for ids, detail in check(books)
    )
    return [(one.check, one.ids, one.detail) for one in violations]


def _cut(books: Books, **fields: tuple[str, set[Any]]) -> Books:
    kept = {
        field: [row for row in getattr(books, field) if getattr(row, name) in wanted]
        for field, (name, wanted) in fields.items()
    }
    return msgspec.structs.replace(books, **kept)
