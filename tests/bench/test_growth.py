"""The past that growth loads, its sums, and how the figures of growth are judged."""

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from bus.kit.addressing import slot_of
from scripts.auditing.commands import Verdict
from scripts.auditing.rest import Rest
from scripts.benching.growing.checking import CHECK, faults_of, scope_of
from scripts.benching.growing.columns import Table
from scripts.benching.growing.growth import Growth, Size, aims_of, sizes_of
from scripts.benching.growing.loading import Loaded
from scripts.benching.growing.past import ENDED_DAYS_AGO, Past, Span, Ware, past
from scripts.benching.growing.reading import Read
from scripts.benching.growing.rows import PIECES, Moment, Shelves, rows_of
from scripts.benching.growing.tables import bytes_each, rows_each
from scripts.demo.goods import DEMO
from scripts.launcher.failures import Failure
from tests.bench.test_verdicts import _load, _measured

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PERSON = UUID("01930000-0000-7df0-8cf0-e6bfd5380f1f")
SPAN = Span.before(NOW, 1_000)
WARES = [Ware(str(UUID(int=n)), f"GROWN-{n:06}", "A cup", 1_000, None) for n in (1, 2)]


def _past(number: int) -> Past:
    return past(number, SPAN, WARES, PERSON)


def _rows(numbers: range) -> tuple[dict[Table, list[list[str]]], Shelves]:
    shelves = Shelves([PIECES] * 2, [1] * 2)
    found: dict[Table, list[list[str]]] = defaultdict(list)
    for number in numbers:
        for table, line in rows_of(_past(number), Moment(NOW, str(PERSON)), shelves):
            row = line.removesuffix("\n").split("\t")
            assert len(row) == len(table.columns.split()), table.name
            found[table].append(row)
    return found, shelves


def _named(found: dict[Table, list[list[str]]], table: str) -> list[dict[str, str]]:
    return [
        dict(zip(kind.columns.split(), row, strict=True))
        for kind, rows in found.items()
        if f"{kind.database}.{kind.name}" == table
        for row in rows
    ]


def test_an_order_of_the_past_follows_from_its_number() -> None:
    assert _past(7) == _past(7)
    assert _past(7).id != _past(8).id
    assert _past(7).placed_at == NOW - timedelta(days=312 - 300 * 7 / 1_000)
    assert len({_past(number).shown for number in range(1_000)}) == 1_000
    last = _past(999).placed_at
    assert last < NOW - timedelta(days=ENDED_DAYS_AGO)


def test_an_order_and_its_payment_lie_in_their_buyers_slot() -> None:
    for number in range(100):
        order = _past(number)
        slot = slot_of(order.buyer)
        assert (slot_of(order.id), slot_of(order.payment_id)) == (slot, slot)


def test_half_of_the_first_orders_are_one_persons_and_a_twentieth_is_cancelled() -> (
    None
):
    orders = [_past(number) for number in range(2_000)]
    assert Counter(order.user_id for order in orders)[PERSON] == 500
    assert sum(order.user_id is None for order in orders) == 1_000
    assert sum(order.is_cancelled for order in orders) == 100


def test_the_past_is_balanced_to_the_cent_and_the_piece() -> None:
    found, shelves = _rows(range(200))
    kept = sum(
        int(row["grand_amount"]) - int(row["refunded_amount"])
        for row in _named(found, "orders.orders")
    )
    ledger = Counter[str]()
    for row in _named(found, "payments.ledger_lines"):
        ledger[row["account"]] += int(row["amount_minor"])
    assert ledger == {"provider_receivable": kept, "sales": -kept}
    charges = _named(found, "bank.charges")
    assert sum(int(row["captured"]) - int(row["refunded"]) for row in charges) == kept
    shipped = sum(int(row["shipped"]) for row in _named(found, "orders.order_lines"))
    assert 2 * PIECES - sum(shelves.on_hand) == shipped > 0
    moves = _named(found, "inventory.movements")
    assert sum(shelves.numbers) - 2 == len(moves)


def test_every_change_of_an_order_of_the_past_is_told() -> None:
    found, _ = _rows(range(40))
    told = Counter(row["order_id"] for row in _named(found, "orders.timeline"))
    for row in _named(found, "orders.orders"):
        assert told[row["id"]] == int(row["version"]) == 4


def test_what_is_too_old_to_be_kept_is_not_loaded() -> None:
    old, _ = _rows(range(2))
    new, _ = _rows(range(990, 992))
    assert not _named(old, "messaging.messages")
    assert not _named(old, "notifications.notifications")
    assert len(_named(new, "messaging.messages")) == 6
    assert len(_named(new, "notifications.notifications")) == 3
    assert len(_named(old, "messaging.sequences")) == 6


def test_no_two_notifications_of_a_person_have_one_place() -> None:
    span, moment = Span.before(NOW, 200), Moment(NOW, str(PERSON))
    shelves = Shelves([PIECES] * 2, [1] * 2)
    rows = [
        line.split("\t")
        for number in range(200)
        for table, line in rows_of(past(number, span, WARES, PERSON), moment, shelves)
        if table.name == "notifications"
    ]
    assert len({(row[1], row[-1]) for row in rows}) == len(rows) > 100


def test_sums_of_one_name_must_be_one_and_what_is_wrong_must_be_nothing() -> None:
    assert (
        faults_of({"kept": {"orders 0": 5, "bank 0": 5}, "unbalanced": {"p": 0}}) == []
    )
    (lost,) = faults_of({"kept": {"orders 0": 5, "bank 0": 4}})
    assert (lost.check, lost.ids, lost.detail) == (
        CHECK,
        "kept",
        "orders 0: 5, bank 0: 4",
    )
    (wrong,) = faults_of({"unbalanced": {"payments 0": 1}})
    assert wrong.ids == "unbalanced"


def test_the_present_is_told_from_the_past_by_its_ids_and_its_skus() -> None:
    scope = scope_of(NOW)
    first = scope["orders"].removeprefix("id >= '").removesuffix("'")
    assert str(_past(999).id) < first
    assert str(past(0, Span(NOW, 1), WARES, PERSON).id) >= first
    assert scope["stock"] == "sku NOT LIKE 'GROWN-%'"
    assert scope["bank.refunds"] == f"key >= '{first}'"
    # What the demo made has ids of 2024, and tells events of today.
    begin = scope["sequences"].split("'")[1]
    assert str(DEMO) < begin < str(past(0, Span.before(NOW, 9), WARES, PERSON).id)


def test_what_an_order_reads_and_adds_is_shared_out() -> None:
    assert rows_each({"a": 10}, {"a": 30, "b": 5, "c": 0}, 5) == {"a": 4.0, "b": 1.0}
    sizes = bytes_each({"a": 0}, {"a": 2_000_000, "b": 10}, 1_000)
    assert sizes == {"a": 2_000.0}


def _size(orders: int, p50: float, **measured: Any) -> Size:
    return Size(
        loaded=Loaded(orders=orders, orders_new=orders, rows=1, seconds=1.0),
        start_seconds=15.0,
        measured=msgspec.structs.replace(_measured(_load()), **measured),
        reads={"an order": Read(count=1, p50_ms=p50, p99_ms=p50, errors=0)},
        rows_each={},
        full_pages_each=0.5,
        bytes_each={},
        unused=[],
        violations=[],
    )


def test_growth_is_the_largest_by_the_smallest_and_a_start_by_an_empty_one() -> None:
    growth = Growth(
        products=200,
        empty_start_seconds=10.0,
        sizes=[
            _size(1_000, 1.0, wal_bytes_each=10.0),
            _size(1_000_000, 1.3, wal_bytes_each=12.0),
        ],
        audit=Verdict(violations=[], rest=Rest(seconds=0.1), counts={}),
        durability={},
    )
    aims = {aim.key: aim for aim in aims_of(growth)}
    assert aims["growth-order-wal"].figure == 1.2
    assert aims["growth-order-wal"].met
    assert aims["growth-pages"].figure == pytest.approx(1.3)
    assert not aims["growth-pages"].met
    assert (aims["growth-start"].figure, aims["growth-start"].met) == (1.5, True)


def test_sizes_are_numbers_of_orders_in_order() -> None:
    assert sizes_of("10000,1000,1000") == (1_000, 10_000)
    for wrong in ("", "99", "many", "3000000"):
        with pytest.raises(Failure, match="--sizes takes numbers"):
            sizes_of(wrong)
