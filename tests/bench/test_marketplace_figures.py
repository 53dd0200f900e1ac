"""What the bench makes of a marketplace's figures: facts, aims, tables, verdict."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from rich.console import Console

from actors.auditing.books import Books, Document, Stream, Streamed
from actors.auditing.money_rows import Attempt, Payment
from actors.auditing.rows import Hold, Order, Stock
from actors.auditing.rows import Line as OrderLine
from scripts.benching.commands import Which
from scripts.benching.marketplace.checking import CRITERIA, Anomaly
from scripts.benching.marketplace.data import Keys
from scripts.benching.marketplace.facts import Facts, Line, Told, facts_of
from scripts.benching.marketplace.facts import Order as OrderFact
from scripts.benching.marketplace.facts import Stock as StockFact
from scripts.benching.marketplace.journal import Dashboard
from scripts.benching.marketplace.measuring import (
    Checked,
    Marketed,
    aims_of,
    marketed,
)
from scripts.benching.marketplace.scene import MIX
from scripts.benching.marketplace.tables import show_marketplace
from tests.bench.test_verdicts import _load, _measured, _report

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ORDER, PAYMENT, PRODUCT, HOUSE = (UUID(int=number) for number in range(1, 5))
SKU, FOREIGN = "OM-00000-0", "MUG-1"


def _order() -> Order:
    return Order(
        id=ORDER,
        number="100-000-001",
        user_id=None,
        status="SHIPPED",
        stage="SETTLED",
        payment_id=PAYMENT,
        payment_status="SUCCEEDED",
        currency="USD",
        items_amount=600,
        discount_amount=0,
        shipping_amount=0,
        tax_amount=0,
        grand_amount=600,
        refunded_amount=0,
        email=None,
        shipping="{}",
        shipments="[]",
        attempt=1,
        version=3,
        updated_at=NOW,
    )


def _line(position: int, sku: str, status: str) -> OrderLine:
    return OrderLine(
        order_id=ORDER,
        position=position,
        sku=sku,
        product_id=PRODUCT,
        quantity=2,
        unit_amount=150,
        status=status,
        shipped=1,
        delivered=0,
    )


def _hold(sku: str, state: str) -> Hold:
    return Hold(order_id=ORDER, sku=sku, state=state, quantity=2, shipped=1, parts="{}")


def _stock(sku: str, on_hand: int) -> Stock:
    return Stock(
        sku=sku, warehouse_id=HOUSE, on_hand=on_hand, reserved=1, threshold=0, version=1
    )


def _books() -> Books:
    """An order with one line of the market and one of another shop's goods."""
    document = Document(
        id=UUID(int=9),
        type="orders.order_placed.v1",
        subject=str(ORDER),
        sequence="1",
        time=NOW,
        data={"order_id": str(ORDER)},
    )
    other = msgspec.structs.replace(document, data={"order_id": str(UUID(int=8))})
    attempt = Attempt(
        payment_id=PAYMENT,
        number=1,
        status="DECLINED",
        provider="sandbox",
        key=UUID(int=7),
        amount_minor=600,
    )
    taken = msgspec.structs.replace(attempt, number=2, status="SUCCEEDED")
    payment = Payment(
        id=PAYMENT,
        order_id=ORDER,
        currency="USD",
        captured_minor=600,
        refunded_minor=100,
        refunding_minor=0,
    )
    return Books(
        now=NOW,
        orders=[_order()],
        lines=[_line(0, SKU, "SHIPPED"), _line(1, FOREIGN, "SHIPPED")],
        holds=[_hold(SKU, "COMMITTED"), _hold(FOREIGN, "COMMITTED")],
        stock=[_stock(SKU, 4), _stock(SKU, 5), _stock(FOREIGN, 6)],
        payments=[payment],
        attempts=[attempt, taken],
        stream=Stream(
            events=[
                Streamed(place, "", "events.orders.order_placed", "", one)
                for place, one in enumerate((document, other), 1)
            ]
        ),
    )


def test_the_facts_are_those_of_one_markets_skus() -> None:
    assert facts_of(_books(), "OM") == Facts(
        orders={
            str(ORDER): OrderFact(
                id=str(ORDER),
                status="SHIPPED",
                amount=600,
                paid=500,
                lines={
                    SKU: Line(
                        quantity=2, amount=300, shipped=1, held=2, in_progress=True
                    )
                },
            )
        },
        stock={SKU: StockFact(on_hand=9, reserved=2)},
        told=[
            Told(
                place=1,
                kind="orders.order_placed",
                subject=str(ORDER),
                sequence=1,
                at=NOW,
                order_id=str(ORDER),
            )
        ],
    )
    assert facts_of(_books(), "OMX") == Facts()


@pytest.mark.parametrize(
    ("order", "line", "hold", "held", "in_progress"),
    [
        ("SHIPPED", "DELIVERED", "COMMITTED", 2, False),
        ("REFUNDED", "SHIPPED", "COMMITTED", 2, False),
        ("CANCELLED", "CANCELLED", "RELEASED", 0, False),
        ("CONFIRMED", "CONFIRMED", "HELD", 2, True),
    ],
)
def test_a_line_is_in_progress_until_it_has_arrived_or_is_undone(
    order: str, line: str, hold: str, held: int, in_progress: bool
) -> None:
    books = msgspec.structs.replace(
        _books(),
        orders=[msgspec.structs.replace(_order(), status=order)],
        lines=[_line(0, SKU, line)],
        holds=[_hold(SKU, hold)],
    )
    (found,) = facts_of(books, "OM").orders.values()
    assert found.lines[SKU].held == held
    assert found.lines[SKU].in_progress is in_progress


def _marketed(keys: Keys, rate: float, **changes: Any) -> Marketed:
    given: dict[str, Any] = {
        "keys": keys,
        "clients": 8,
        "transactions": 100,
        "per_second": rate,
        "per_core": 400.0,
        "per_machine_core": rate / 2,
        "cpu_ms_each": 2.5,
        "requests_each": 2.7,
        "dearest": "gateway",
        "kinds": {},
    }
    return Marketed(**given | changes)


def _checked(*anomalies: Anomaly) -> Checked:
    return Checked(
        keys=Keys.UNIFORM,
        requests=270,
        orders=30,
        events=400,
        dashboards=60,
        whole_dashboards=55,
        anomalies={
            name: [one for one in anomalies if one.criterion == name]
            for name in CRITERIA
        },
    )


def test_a_load_is_told_by_transaction_and_by_core() -> None:
    times = {name: [10.0, 20.0] for name in MIX} | {"add": [1.0] * 9}
    look = Dashboard(seller_id="anna", begun=1.0, ended=2.0, status=200)
    load = _load(by_kind=times, journal=[look] * 8)
    one = marketed(Keys.ZIPF, _measured(load), load, cpus=2)
    assert (one.transactions, one.per_second, one.per_machine_core) == (4, 1.0, 0.5)
    assert (one.cpu_ms_each, one.per_core, one.dearest) == (2.0, 500.0, "orders/0")
    assert one.requests_each == 2.0
    assert list(one.kinds) == list(MIX)
    for kind in one.kinds.values():
        assert (kind.count, kind.per_second) == (2, 1.0)
        assert (kind.p50_ms, kind.p99_ms) == (20.0, 20.0)


def test_each_distribution_counts_with_its_best_load() -> None:
    loads = [
        _marketed(Keys.UNIFORM, 500.0),
        _marketed(Keys.UNIFORM, 700.0, per_core=300.0),
        _marketed(Keys.ZIPF, 560.0),
    ]
    aims = {aim.key: aim for aim in aims_of(loads, [_checked()])}
    assert {key: (aim.figure, aim.met) for key, aim in aims.items()} == {
        "marketplace-uniform-by-core": (300.0, False),
        "marketplace-uniform-by-machine": (350.0, True),
        "marketplace-zipf-by-core": (400.0, True),
        "marketplace-zipf-by-machine": (280.0, False),
        "marketplace-zipf-by-uniform": (0.8, False),
        "marketplace-anomalies": (0.0, True),
    }
    missed = aims["marketplace-uniform-by-core"].words()
    why = "2.50 CPU-ms a transaction of 2.7 requests, most of it in gateway"
    assert missed.endswith(f"at least 330 a second and core ({why})")


def test_one_distribution_alone_is_held_against_no_other() -> None:
    keys = {aim.key for aim in aims_of([_marketed(Keys.ZIPF, 1.0)], [])}
    assert keys == {
        "marketplace-zipf-by-core",
        "marketplace-zipf-by-machine",
        "marketplace-anomalies",
    }


def test_an_anomaly_makes_a_runs_figures_worth_nothing() -> None:
    anomaly = Anomaly("integrity", SKU, "3 pieces are sold of 2")
    report = _report(checked=[_checked(), _checked(anomaly)])
    assert report.faults() == ["integrity: OM-00000-0: 3 pieces are sold of 2"]
    found = {aim.key: aim for aim in aims_of([], report.checked)}
    assert found["marketplace-anomalies"].met is False
    assert _report(checked=[_checked()]).faults() == []


def test_the_tables_show_rates_criteria_and_the_first_anomalies(
    capsys: pytest.CaptureFixture[str],
) -> None:
    many = [Anomaly("event order", f"order-{n}", "is wrong") for n in range(7)]
    load = _load(by_kind={name: [10.0] for name in MIX})
    one = marketed(Keys.ZIPF, _measured(load), load, cpus=2)
    show_marketplace(Console(width=140), [one], [_checked(*many)])
    said = " ".join(capsys.readouterr().out.split())
    assert "zipf 2 4 1 2.00 500 0" in said
    assert "Seller Dashboard 1 0.5 10.0 10.0 10.0" in said
    assert "270 requests, 30 orders and 400 events" in said
    assert "55 of 60 dashboards were whole" in said
    assert "event order: 7 anomalies" in said
    assert said.count("is wrong") == 5
    assert "integrity: no anomalies" in said


def test_both_distributions_are_measured_unless_one_is_named() -> None:
    assert Which.BOTH.all() == (Keys.UNIFORM, Keys.ZIPF)
    assert Which.ZIPF.all() == (Keys.ZIPF,)
