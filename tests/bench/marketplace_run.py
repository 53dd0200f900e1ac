"""A sound run of a marketplace, and how to change one thing of it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from scripts.benching.marketplace.facts import Facts, Line, Order, Stock, Told
from scripts.benching.marketplace.given import Given, Opening
from scripts.benching.marketplace.journal import (
    Added,
    CheckedOut,
    Dashboard,
    Deleted,
    Entry,
    Journal,
    Listed,
    Priced,
    Repriced,
    Shipped,
    Stocked,
    Sums,
)

FIRST, SECOND, LATER = "OM-00000-0", "OM-00001-0", "OM-00001-1"
BUYER, OTHER = "cart-1", "cart-2"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at_time(seconds: float, status: int = 200, **more: Any) -> dict[str, Any]:
    return {"begun": seconds, "ended": seconds + 0.5, "status": status, **more}


def prices(**prices: int) -> tuple[Priced, ...]:
    names = {"first": FIRST, "second": SECOND, "later": LATER}
    return tuple(Priced(sku=names[name], price=price) for name, price in prices.items())


def sound_journal() -> Journal:
    """A cart of two lines is bought whole; prices move, a product goes, one comes."""
    lines = {FIRST: 2, SECOND: 1}
    return [
        Added(
            buyer=BUYER, sku=FIRST, quantity=2, shown=prices(first=100), **at_time(1)
        ),
        Repriced(sku=FIRST, price=110, version=2, **at_time(2)),
        Added(
            buyer=BUYER,
            sku=SECOND,
            quantity=1,
            shown=prices(first=110, second=50),
            **at_time(3),
        ),
        CheckedOut(
            buyer=BUYER,
            lines=lines,
            order_id="order-1",
            shown=prices(first=110, second=50),
            **at_time(4, 201),
        ),
        Shipped(order_id="order-1", seller_id="anna", **at_time(6)),
        Deleted(sku=SECOND, **at_time(7, 204)),
        Listed(sku=LATER, price=50, version=1, **at_time(8, 201)),
        Stocked(sku=LATER, pieces=10, **at_time(9)),
        CheckedOut(
            buyer=OTHER,
            lines={FIRST: 5},
            order_id="order-2",
            **at_time(10, 402, code="payment-declined"),
        ),
        Dashboard(
            seller_id="anna",
            told=Sums(orders=1, items=1, amount=220),
            summed=Sums(orders=1, items=1, amount=220),
            at_rest=True,
            **at_time(11),
        ),
    ]


def told_at(place: int, kind: str, order_id: str, sequence: int, subject: str) -> Told:
    at = NOON + timedelta(milliseconds=place)
    return Told(
        place=place,
        kind=kind,
        subject=subject,
        sequence=sequence,
        at=at,
        order_id=order_id,
    )


def sound_facts() -> Facts:
    bought = Order(
        id="order-1",
        status="SHIPPED",
        amount=270,
        paid=270,
        lines={
            FIRST: Line(quantity=2, held=2, shipped=2, amount=220, in_progress=True),
            SECOND: Line(quantity=1, held=1, shipped=1, amount=50, in_progress=True),
        },
    )
    undone = Order(
        id="order-2",
        status="CANCELLED",
        amount=550,
        paid=0,
        lines={FIRST: Line(quantity=5)},
    )
    return Facts(
        orders={"order-1": bought, "order-2": undone},
        stock={
            FIRST: Stock(on_hand=8, reserved=0),
            SECOND: Stock(on_hand=9, reserved=0),
            LATER: Stock(on_hand=10, reserved=0),
        },
        told=[
            told_at(1, "orders.order_placed", "order-1", 1, "order-1"),
            told_at(2, "inventory.stock_reserved", "order-1", 7, FIRST),
            told_at(3, "inventory.stock_reserved", "order-1", 4, SECOND),
            told_at(4, "payments.payment_succeeded", "order-1", 1, "payment-1"),
            told_at(5, "orders.order_confirmed", "order-1", 2, "order-1"),
            told_at(6, "inventory.stock_committed", "order-1", 8, FIRST),
            told_at(7, "orders.order_shipped", "order-1", 3, "order-1"),
            told_at(8, "orders.order_placed", "order-2", 1, "order-2"),
            told_at(9, "inventory.stock_reserved", "order-2", 9, FIRST),
            told_at(10, "orders.order_cancelled", "order-2", 2, "order-2"),
        ],
    )


def sound_run() -> Given:
    return Given(
        sellers=("anna", "bela"),
        opening={
            FIRST: Opening(price=100, pieces=10),
            SECOND: Opening(price=50, pieces=10),
        },
        journal=sound_journal(),
        facts=sound_facts(),
    )


def entries_with(
    given: Given, kind: type, change: Callable[[Any], Entry | None]
) -> Given:
    """The run with each entry of a kind changed, or left out."""
    changed = (
        change(entry) if isinstance(entry, kind) else entry for entry in given.journal
    )
    return replace(given, journal=[entry for entry in changed if entry is not None])


def answered_otherwise(given: Given, order_id: str, status: int, code: str) -> Given:
    def change(entry: CheckedOut) -> CheckedOut:
        mine = entry.order_id == order_id
        return replace(entry, status=status, code=code) if mine else entry

    return entries_with(given, CheckedOut, change)


def also(given: Given, *entries: Entry) -> Given:
    return replace(given, journal=[*given.journal, *entries])


def order_with(given: Given, order_id: str, **changes: Any) -> Given:
    orders = dict(given.facts.orders)
    orders[order_id] = replace(orders[order_id], **changes)
    return replace(given, facts=replace(given.facts, orders=orders))


def line_with(given: Given, sku: str, **changes: Any) -> Given:
    lines = dict(given.facts.orders["order-1"].lines)
    lines[sku] = replace(lines[sku], **changes)
    return order_with(given, "order-1", lines=lines)


def stock_with(given: Given, sku: str, on_hand: int, reserved: int) -> Given:
    stock = given.facts.stock | {sku: Stock(on_hand=on_hand, reserved=reserved)}
    return replace(given, facts=replace(given.facts, stock=stock))


def events_with(given: Given, change: Callable[[Told], Told | None]) -> Given:
    told = [new for one in given.facts.told if (new := change(one)) is not None]
    return replace(given, facts=replace(given.facts, told=told))


def without_event(
    kind: str, order_id: str = "order-1"
) -> Callable[[Told], Told | None]:
    return lambda one: None if (one.kind, one.order_id) == (kind, order_id) else one


def moved_event(kind: str, **changes: Any) -> Callable[[Told], Told | None]:
    return lambda one: replace(one, **changes) if one.kind == kind else one


def with_lost_order(given: Given) -> Given:
    orders = {"order-2": given.facts.orders["order-2"]}
    told = [one for one in given.facts.told if one.order_id == "order-2"]
    stock = {FIRST: Stock(on_hand=10, reserved=0)}
    facts = Facts(orders=orders, stock=stock, told=told)
    given = entries_with(given, Dashboard, lambda _: None)
    return replace(given, facts=facts)


def with_extra_order(given: Given) -> Given:
    """Nobody was told of this order, and every checkout was answered."""
    unknown = replace(given.facts.orders["order-2"], id="order-3")
    orders = given.facts.orders | {"order-3": unknown}
    told = [
        *given.facts.told,
        told_at(11, "orders.order_placed", "order-3", 1, "order-3"),
        told_at(12, "orders.order_cancelled", "order-3", 2, "order-3"),
    ]
    return replace(given, facts=replace(given.facts, orders=orders, told=told))


def with_oversold_sku(given: Given) -> Given:
    """Three of two pieces are sold, and every other figure is made to fit."""
    opening = given.opening | {FIRST: Opening(price=100, pieces=1)}
    return replace(stock_with(given, FIRST, 0, 0), opening=opening)
