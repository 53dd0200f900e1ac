"""The marketplace's checker finds each kind of anomaly, and none where there is none.

Every fault is planted alone into a run that is sound.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from scripts.benching.marketplace.checking import CRITERIA, find_anomalies
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
ATOMIC, REPLICA, EVENTS, INTEGRITY, DASHBOARD = CRITERIA
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def _at(seconds: float, status: int = 200, **more: Any) -> dict[str, Any]:
    return {"begun": seconds, "ended": seconds + 0.5, "status": status, **more}


def _shown(**prices: int) -> tuple[Priced, ...]:
    names = {"first": FIRST, "second": SECOND, "later": LATER}
    return tuple(Priced(sku=names[name], price=price) for name, price in prices.items())


def _journal() -> Journal:
    """A cart of two lines is bought whole; prices move, a product goes, one comes."""
    lines = {FIRST: 2, SECOND: 1}
    return [
        Added(buyer=BUYER, sku=FIRST, quantity=2, shown=_shown(first=100), **_at(1)),
        Repriced(sku=FIRST, price=110, version=2, **_at(2)),
        Added(
            buyer=BUYER,
            sku=SECOND,
            quantity=1,
            shown=_shown(first=110, second=50),
            **_at(3),
        ),
        CheckedOut(
            buyer=BUYER,
            lines=lines,
            order_id="order-1",
            shown=_shown(first=110, second=50),
            **_at(4, 201),
        ),
        Shipped(order_id="order-1", seller_id="anna", **_at(6)),
        Deleted(sku=SECOND, **_at(7, 204)),
        Listed(sku=LATER, price=50, version=1, **_at(8, 201)),
        Stocked(sku=LATER, pieces=10, **_at(9)),
        CheckedOut(
            buyer=OTHER,
            lines={FIRST: 5},
            order_id="order-2",
            **_at(10, 402, code="payment-declined"),
        ),
        Dashboard(
            seller_id="anna",
            told=Sums(orders=1, items=1, amount=220),
            summed=Sums(orders=1, items=1, amount=220),
            at_rest=True,
            **_at(11),
        ),
    ]


def _told(place: int, kind: str, order_id: str, sequence: int, subject: str) -> Told:
    at = NOON + timedelta(milliseconds=place)
    return Told(
        place=place,
        kind=kind,
        subject=subject,
        sequence=sequence,
        at=at,
        order_id=order_id,
    )


def _facts() -> Facts:
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
            _told(1, "orders.order_placed", "order-1", 1, "order-1"),
            _told(2, "inventory.stock_reserved", "order-1", 7, FIRST),
            _told(3, "inventory.stock_reserved", "order-1", 4, SECOND),
            _told(4, "payments.payment_succeeded", "order-1", 1, "payment-1"),
            _told(5, "orders.order_confirmed", "order-1", 2, "order-1"),
            _told(6, "inventory.stock_committed", "order-1", 8, FIRST),
            _told(7, "orders.order_shipped", "order-1", 3, "order-1"),
            _told(8, "orders.order_placed", "order-2", 1, "order-2"),
            _told(9, "inventory.stock_reserved", "order-2", 9, FIRST),
            _told(10, "orders.order_cancelled", "order-2", 2, "order-2"),
        ],
    )


def _given() -> Given:
    return Given(
        sellers=("anna", "bela"),
        opening={
            FIRST: Opening(price=100, pieces=10),
            SECOND: Opening(price=50, pieces=10),
        },
        journal=_journal(),
        facts=_facts(),
    )


def _entries(given: Given, kind: type, change: Callable[[Any], Entry | None]) -> Given:
    """The run with each entry of a kind changed, or left out."""
    changed = (
        change(entry) if isinstance(entry, kind) else entry for entry in given.journal
    )
    return replace(given, journal=[entry for entry in changed if entry is not None])


def _answered(given: Given, order_id: str, status: int, code: str) -> Given:
    def change(entry: CheckedOut) -> CheckedOut:
        mine = entry.order_id == order_id
        return replace(entry, status=status, code=code) if mine else entry

    return _entries(given, CheckedOut, change)


def _with(given: Given, *entries: Entry) -> Given:
    return replace(given, journal=[*given.journal, *entries])


def _order(given: Given, order_id: str, **changes: Any) -> Given:
    orders = dict(given.facts.orders)
    orders[order_id] = replace(orders[order_id], **changes)
    return replace(given, facts=replace(given.facts, orders=orders))


def _line(given: Given, sku: str, **changes: Any) -> Given:
    lines = dict(given.facts.orders["order-1"].lines)
    lines[sku] = replace(lines[sku], **changes)
    return _order(given, "order-1", lines=lines)


def _stock(given: Given, sku: str, on_hand: int, reserved: int) -> Given:
    stock = given.facts.stock | {sku: Stock(on_hand=on_hand, reserved=reserved)}
    return replace(given, facts=replace(given.facts, stock=stock))


def _events(given: Given, change: Callable[[Told], Told | None]) -> Given:
    told = [new for one in given.facts.told if (new := change(one)) is not None]
    return replace(given, facts=replace(given.facts, told=told))


def _without(kind: str, order_id: str = "order-1") -> Callable[[Told], Told | None]:
    return lambda one: None if (one.kind, one.order_id) == (kind, order_id) else one


def _moved(kind: str, **changes: Any) -> Callable[[Told], Told | None]:
    return lambda one: replace(one, **changes) if one.kind == kind else one


def _lost(given: Given) -> Given:
    orders = {"order-2": given.facts.orders["order-2"]}
    told = [one for one in given.facts.told if one.order_id == "order-2"]
    stock = {FIRST: Stock(on_hand=10, reserved=0)}
    facts = Facts(orders=orders, stock=stock, told=told)
    given = _entries(given, Dashboard, lambda _: None)
    return replace(given, facts=facts)


def _extra_order(given: Given) -> Given:
    """Nobody was told of this order, and every checkout was answered."""
    unknown = replace(given.facts.orders["order-2"], id="order-3")
    orders = given.facts.orders | {"order-3": unknown}
    told = [
        *given.facts.told,
        _told(11, "orders.order_placed", "order-3", 1, "order-3"),
        _told(12, "orders.order_cancelled", "order-3", 2, "order-3"),
    ]
    return replace(given, facts=replace(given.facts, orders=orders, told=told))


def _oversold(given: Given) -> Given:
    """Three of two pieces are sold, and every other figure is made to fit."""
    opening = given.opening | {FIRST: Opening(price=100, pieces=1)}
    return replace(_stock(given, FIRST, 0, 0), opening=opening)


Plant = Callable[[Given], Given]

PLANTS: dict[str, tuple[str, str, Plant]] = {
    "an answered order is not there": (ATOMIC, "and not there", _lost),
    "an order that nobody was told of": (
        ATOMIC,
        "only 0 checkouts have no answer",
        _extra_order,
    ),
    "an answered order was undone": (
        ATOMIC,
        "answered with 201, and is CANCELLED",
        lambda given: _answered(given, "order-2", 201, ""),
    ),
    "a line has no pieces": (
        ATOMIC,
        "SHIPPED, 0 pieces held of 1",
        lambda given: _line(given, SECOND, held=0),
    ),
    "a line is missing": (
        ATOMIC,
        "the cart held",
        lambda given: _entries(
            given,
            CheckedOut,
            lambda entry: (
                replace(entry, lines={**entry.lines, "OM-00003-0": 1})
                if entry.order_id == "order-1"
                else entry
            ),
        ),
    ),
    "money is missing": (
        ATOMIC,
        "SHIPPED, 269 paid of 270",
        lambda given: _order(given, "order-1", paid=269),
    ),
    "a cancelled order keeps money": (
        ATOMIC,
        "CANCELLED, and 550 of its money kept",
        lambda given: _order(given, "order-2", paid=550),
    ),
    "a cancelled order holds pieces": (
        ATOMIC,
        "CANCELLED, and holds",
        lambda given: _order(given, "order-2", lines={FIRST: Line(quantity=5, held=5)}),
    ),
    "an order is half-way": (
        ATOMIC,
        "is PENDING, neither done nor undone",
        lambda given: _order(given, "order-2", status="PENDING", lines={}),
    ),
    "a refused order stands": (
        ATOMIC,
        "refused as payment-declined, and is SHIPPED",
        lambda given: _answered(given, "order-1", 402, "payment-declined"),
    ),
    "a cart goes back to an older price": (
        REPLICA,
        "shows 100 again after the newer 110",
        lambda given: _with(
            given,
            Added(
                buyer=BUYER, sku=FIRST, quantity=1, shown=_shown(first=100), **_at(12)
            ),
        ),
    ),
    "an order is priced by an older version than its cart": (
        REPLICA,
        "shows 100 again after the newer 110",
        lambda given: _entries(
            given,
            CheckedOut,
            lambda entry: (
                replace(entry, shown=_shown(first=100))
                if entry.order_id == "order-1"
                else entry
            ),
        ),
    ),
    "a cart shows a price that never was": (
        REPLICA,
        "shows 105, which was never its price",
        lambda given: _with(
            given,
            Added(
                buyer=OTHER, sku=FIRST, quantity=1, shown=_shown(first=105), **_at(12)
            ),
        ),
    ),
    "a cart shows a price before it was set": (
        REPLICA,
        "shows 110 before it was asked for",
        lambda given: _with(
            given,
            Added(
                buyer=OTHER, sku=FIRST, quantity=1, shown=_shown(first=110), **_at(0)
            ),
        ),
    ),
    "a payment is told before its order": (
        EVENTS,
        "payments.payment_succeeded before orders.order_placed",
        lambda given: _events(
            given, _moved("payments.payment_succeeded", at=NOON - timedelta(seconds=1))
        ),
    ),
    "a shipment is told before its payment": (
        EVENTS,
        "orders.order_shipped before payments.payment_succeeded",
        lambda given: _events(
            given,
            _moved("payments.payment_succeeded", at=NOON + timedelta(seconds=1)),
        ),
    ),
    "a shipment without a payment": (
        EVENTS,
        "orders.order_shipped without payments.payment_succeeded",
        lambda given: _events(given, _without("payments.payment_succeeded")),
    ),
    "a confirmation stands before its order in the stream": (
        EVENTS,
        "event 1 comes after 2",
        lambda given: _events(
            given,
            lambda one: (
                replace(one, place=0)
                if (one.kind, one.order_id) == ("orders.order_confirmed", "order-1")
                else one
            ),
        ),
    ),
    "a number is left out": (
        EVENTS,
        "event 4 comes after 2",
        lambda given: _events(given, _moved("orders.order_shipped", sequence=4)),
    ),
    "numbers of a SKU go back": (
        EVENTS,
        "event 6 comes after 7",
        lambda given: _events(given, _moved("inventory.stock_committed", sequence=6)),
    ),
    "a cancellation is never told": (
        EVENTS,
        "never told: orders.order_cancelled",
        lambda given: _events(given, _without("orders.order_cancelled", "order-2")),
    ),
    "a deleted product is sold": (
        INTEGRITY,
        "ordered 4.500 s after deletion",
        lambda given: _with(
            given,
            CheckedOut(
                buyer=OTHER,
                lines={SECOND: 1},
                order_id="",
                shown=(),
                **_at(12, 201),
            ),
        ),
    ),
    "more is sold than there is": (
        INTEGRITY,
        "2 pieces are sold of 1",
        _oversold,
    ),
    "more is reserved than there is": (
        INTEGRITY,
        "9 reserved of 8 pieces",
        lambda given: _stock(given, FIRST, 8, 9),
    ),
    "a piece is gone": (
        INTEGRITY,
        "7 on hand and 2 shipped of 10",
        lambda given: _stock(given, FIRST, 7, 0),
    ),
    "a piece is reserved for nobody": (
        INTEGRITY,
        "1 reserved and 2 shipped of 2 sold",
        lambda given: _stock(given, FIRST, 8, 1),
    ),
    "totals are not the sums": (
        DASHBOARD,
        "lines come to",
        lambda given: _entries(
            given,
            Dashboard,
            lambda entry: replace(
                entry, summed=Sums(orders=1, items=1, amount=219), at_rest=False
            ),
        ),
    ),
    "totals of more are less than what is shown": (
        DASHBOARD,
        "lines come to",
        lambda given: _entries(
            given,
            Dashboard,
            lambda entry: replace(
                entry,
                summed=Sums(orders=1, items=0, amount=221),
                more=True,
                at_rest=False,
            ),
        ),
    ),
    "a line is shown twice": (
        DASHBOARD,
        "1 lines are shown twice",
        lambda given: _entries(given, Dashboard, lambda entry: replace(entry, twice=1)),
    ),
    "totals at rest are not what the databases say": (
        DASHBOARD,
        "at rest, there are",
        lambda given: _line(given, FIRST, amount=221),
    ),
}


def test_a_sound_run_has_no_anomaly() -> None:
    assert find_anomalies(_given()) == []


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_anomaly_is_found_by_its_criterion_alone(name: str) -> None:
    criterion, said, plant = PLANTS[name]
    found = find_anomalies(plant(_given()))
    assert found, "nothing was found"
    assert any(said in one.detail for one in found), found
    assert {one.criterion for one in found} == {criterion}


def test_every_criterion_can_be_broken() -> None:
    assert {criterion for criterion, _, _ in PLANTS.values()} == set(CRITERIA)


def test_what_was_not_answered_may_have_happened_but_only_whole() -> None:
    lost = replace(_given().journal[3], status=0, order_id="", shown=())  # type: ignore[call-arg]
    unknown = _entries(
        _given(), CheckedOut, lambda one: lost if one.order_id == "order-1" else one
    )
    assert find_anomalies(unknown) == []
    half = find_anomalies(_line(unknown, SECOND, held=0))
    assert [one.criterion for one in half] == [ATOMIC]


def test_a_price_whose_update_was_not_answered_proves_nothing() -> None:
    given = _entries(
        _given(), Repriced, lambda one: replace(one, status=504, version=0)
    )
    back = Added(buyer=BUYER, sku=FIRST, quantity=1, shown=_shown(first=100), **_at(12))
    assert find_anomalies(_with(given, back)) == []


def test_a_price_update_that_was_refused_is_no_price() -> None:
    given = _entries(
        _given(), Repriced, lambda one: replace(one, status=403, version=0)
    )
    assert {one.criterion for one in find_anomalies(given)} == {REPLICA}


def test_an_event_that_comes_twice_is_no_anomaly() -> None:
    given = _given()
    again = replace(given.facts.told[0], place=20)
    told = [*given.facts.told, again]
    given = replace(given, facts=replace(given.facts, told=told))
    assert find_anomalies(given) == []


def test_a_journal_survives_its_way_from_the_load_client() -> None:
    journal = _journal()
    sent = msgspec.json.encode(journal)
    assert msgspec.json.decode(sent, type=Journal) == journal
