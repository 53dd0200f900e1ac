"""The marketplace's checker finds each kind of anomaly, and none where there is none.

Every fault is planted alone into a run that is sound.
"""

from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest
from msgspec.structs import replace

from scripts.benching.marketplace.checking import CRITERIA, find_anomalies
from scripts.benching.marketplace.facts import Line
from scripts.benching.marketplace.given import Given
from scripts.benching.marketplace.journal import (
    Added,
    CheckedOut,
    Dashboard,
    Journal,
    Repriced,
    Sums,
)
from tests.bench.marketplace_run import (
    BUYER,
    FIRST,
    NOON,
    OTHER,
    SECOND,
    also,
    answered_otherwise,
    at_time,
    entries_with,
    events_with,
    line_with,
    moved_event,
    order_with,
    prices,
    sound_journal,
    sound_run,
    stock_with,
    with_extra_order,
    with_lost_order,
    with_oversold_sku,
    without_event,
)

ATOMIC, REPLICA, EVENTS, INTEGRITY, DASHBOARD = CRITERIA

Plant = Callable[[Given], Given]

PLANTS: dict[str, tuple[str, str, Plant]] = {
    "an answered order is not there": (ATOMIC, "and not there", with_lost_order),
    "an order that nobody was told of": (
        ATOMIC,
        "only 0 checkouts have no answer",
        with_extra_order,
    ),
    "an answered order was undone": (
        ATOMIC,
        "answered with 201, and is CANCELLED",
        lambda given: answered_otherwise(given, "order-2", 201, ""),
    ),
    "a line has no pieces": (
        ATOMIC,
        "SHIPPED, 0 pieces held of 1",
        lambda given: line_with(given, SECOND, held=0),
    ),
    "a line is missing": (
        ATOMIC,
        "the cart held",
        lambda given: entries_with(
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
        lambda given: order_with(given, "order-1", paid=269),
    ),
    "a cancelled order keeps money": (
        ATOMIC,
        "CANCELLED, and 550 of its money kept",
        lambda given: order_with(given, "order-2", paid=550),
    ),
    "a cancelled order holds pieces": (
        ATOMIC,
        "CANCELLED, and holds",
        lambda given: order_with(
            given, "order-2", lines={FIRST: Line(quantity=5, held=5)}
        ),
    ),
    "an order is half-way": (
        ATOMIC,
        "is PENDING, neither done nor undone",
        lambda given: order_with(given, "order-2", status="PENDING", lines={}),
    ),
    "a refused order stands": (
        ATOMIC,
        "refused as payment-declined, and is SHIPPED",
        lambda given: answered_otherwise(given, "order-1", 402, "payment-declined"),
    ),
    "a cart goes back to an older price": (
        REPLICA,
        "shows 100 again after the newer 110",
        lambda given: also(
            given,
            Added(
                buyer=BUYER,
                sku=FIRST,
                quantity=1,
                shown=prices(first=100),
                **at_time(12),
            ),
        ),
    ),
    "an order is priced by an older version than its cart": (
        REPLICA,
        "shows 100 again after the newer 110",
        lambda given: entries_with(
            given,
            CheckedOut,
            lambda entry: (
                replace(entry, shown=prices(first=100))
                if entry.order_id == "order-1"
                else entry
            ),
        ),
    ),
    "a cart shows a price that never was": (
        REPLICA,
        "shows 105, which was never its price",
        lambda given: also(
            given,
            Added(
                buyer=OTHER,
                sku=FIRST,
                quantity=1,
                shown=prices(first=105),
                **at_time(12),
            ),
        ),
    ),
    "a cart shows a price before it was set": (
        REPLICA,
        "shows 110 before it was asked for",
        lambda given: also(
            given,
            Added(
                buyer=OTHER,
                sku=FIRST,
                quantity=1,
                shown=prices(first=110),
                **at_time(0),
            ),
        ),
    ),
    "a payment is told before its order": (
        EVENTS,
        "payments.payment_succeeded before orders.order_placed",
        lambda given: events_with(
            given,
            moved_event("payments.payment_succeeded", at=NOON - timedelta(seconds=1)),
        ),
    ),
    "a shipment is told before its payment": (
        EVENTS,
        "orders.order_shipped before payments.payment_succeeded",
        lambda given: events_with(
            given,
            moved_event("payments.payment_succeeded", at=NOON + timedelta(seconds=1)),
        ),
    ),
    "a shipment without a payment": (
        EVENTS,
        "orders.order_shipped without payments.payment_succeeded",
        lambda given: events_with(given, without_event("payments.payment_succeeded")),
    ),
    "a confirmation stands before its order in the stream": (
        EVENTS,
        "event 1 comes after 2",
        lambda given: events_with(
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
        lambda given: events_with(
            given, moved_event("orders.order_shipped", sequence=4)
        ),
    ),
    "numbers of a SKU go back": (
        EVENTS,
        "event 6 comes after 7",
        lambda given: events_with(
            given, moved_event("inventory.stock_committed", sequence=6)
        ),
    ),
    "a cancellation is never told": (
        EVENTS,
        "never told: orders.order_cancelled",
        lambda given: events_with(
            given, without_event("orders.order_cancelled", "order-2")
        ),
    ),
    "a deleted product is sold": (
        INTEGRITY,
        "ordered 4.500 s after deletion",
        lambda given: also(
            given,
            CheckedOut(
                buyer=OTHER,
                lines={SECOND: 1},
                order_id="",
                shown=(),
                **at_time(12, 201),
            ),
        ),
    ),
    "more is sold than there is": (
        INTEGRITY,
        "2 pieces are sold of 1",
        with_oversold_sku,
    ),
    "more is reserved than there is": (
        INTEGRITY,
        "9 reserved of 8 pieces",
        lambda given: stock_with(given, FIRST, 8, 9),
    ),
    "a piece is gone": (
        INTEGRITY,
        "7 on hand and 2 shipped of 10",
        lambda given: stock_with(given, FIRST, 7, 0),
    ),
    "a piece is reserved for nobody": (
        INTEGRITY,
        "1 reserved and 2 shipped of 2 sold",
        lambda given: stock_with(given, FIRST, 8, 1),
    ),
    "totals are not the sums": (
        DASHBOARD,
        "lines come to",
        lambda given: entries_with(
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
        lambda given: entries_with(
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
        lambda given: entries_with(
            given, Dashboard, lambda entry: replace(entry, twice=1)
        ),
    ),
    "totals at rest are not what the databases say": (
        DASHBOARD,
        "at rest, there are",
        lambda given: line_with(given, FIRST, amount=221),
    ),
}


def test_a_sound_run_has_no_anomaly() -> None:
    assert find_anomalies(sound_run()) == []


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_anomaly_is_found_by_its_criterion_alone(name: str) -> None:
    criterion, said, plant = PLANTS[name]
    found = find_anomalies(plant(sound_run()))
    assert found, "nothing was found"
    assert any(said in one.detail for one in found), found
    assert {one.criterion for one in found} == {criterion}


def test_every_criterion_can_be_broken() -> None:
    assert {criterion for criterion, _, _ in PLANTS.values()} == set(CRITERIA)


def test_what_was_not_answered_may_have_happened_but_only_whole() -> None:
    lost = replace(sound_run().journal[3], status=0, order_id="", shown=())
    unknown = entries_with(
        sound_run(), CheckedOut, lambda one: lost if one.order_id == "order-1" else one
    )
    assert find_anomalies(unknown) == []
    half = find_anomalies(line_with(unknown, SECOND, held=0))
    assert [one.criterion for one in half] == [ATOMIC]


def test_a_price_whose_update_was_not_answered_proves_nothing() -> None:
    given = entries_with(
        sound_run(), Repriced, lambda one: replace(one, status=504, version=0)
    )
    back = Added(
        buyer=BUYER, sku=FIRST, quantity=1, shown=prices(first=100), **at_time(12)
    )
    assert find_anomalies(also(given, back)) == []


def test_a_price_update_that_was_refused_is_no_price() -> None:
    given = entries_with(
        sound_run(), Repriced, lambda one: replace(one, status=403, version=0)
    )
    assert {one.criterion for one in find_anomalies(given)} == {REPLICA}


def test_an_event_that_comes_twice_is_no_anomaly() -> None:
    given = sound_run()
    again = replace(given.facts.told[0], place=20)
    told = [*given.facts.told, again]
    given = replace(given, facts=replace(given.facts, told=told))
    assert find_anomalies(given) == []


def test_a_journal_survives_its_way_from_the_load_client() -> None:
    journal = sound_journal()
    sent = msgspec.json.encode(journal)
    assert msgspec.json.decode(sent, type=Journal) == journal
