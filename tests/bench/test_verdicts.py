"""What the bench makes of its figures; each of its verdicts is able to fail."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from actors.auditing.books import Violation
from scripts.auditing.commands import Verdict
from scripts.auditing.rest import Rest
from scripts.benching.applied import Mark
from scripts.benching.browsing import Browsed
from scripts.benching.comparing import compare, read_report
from scripts.benching.costs import Costs, not_durable, read_costs, read_durability
from scripts.benching.desk import BY_DOMAIN, BY_EDGE
from scripts.benching.events import Backlog, Events
from scripts.benching.flash import Rates, Sale, faults
from scripts.benching.keeping import write_kept
from scripts.benching.ledger import Ledger, Look
from scripts.benching.load import Load
from scripts.benching.measuring import Measured, Reading, Span, measured
from scripts.benching.plotting import draw, plot
from scripts.benching.postgres_alone import BATCH, measure_alone
from scripts.benching.probe import Shard
from scripts.benching.publishing import Raw
from scripts.benching.report import Report
from scripts.benching.scenes import Task
from scripts.benching.series import Moment
from scripts.benching.tables import show, show_events, show_sales
from scripts.launcher.failures import Failure
from tests.kit.local import Databases

EXACT = Ledger(sold=3, cancelled=1, pending=0, on_hand=3, reserved=3)
SALE = Sale(
    buyers=10,
    pieces=3,
    killed="",
    answered=3,
    errors={},
    seconds=1.0,
    refused_by_edge=6,
    refused_by_domain=1,
    ledger=EXACT,
    after=EXACT,
    again_seconds=0.25,
)
WATCHED = msgspec.structs.replace(
    SALE, over_time=[Look(at_seconds=10.5, ledger=EXACT).since(10.0)]
)
MOMENT = Moment(
    at_seconds=0.5,
    done_per_second=4.0,
    other_per_second=1.0,
    p50_ms=1.0,
    p95_ms=2.0,
    p99_ms=3.0,
)
ON = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}


BACKLOG = Backlog(
    told=1_000,
    failed=0,
    missing=0,
    published_seconds=0.5,
    applied_seconds=2.5,
    cpu_ms_each={"bridge/0": 0.125},
)
EVENTS = Events(
    asked_per_second=1_000,
    told=5_000,
    failed=0,
    missing=0,
    told_per_second=999.5,
    lag_p50_ms=9.5,
    lag_p99_ms=18.5,
    lag_max_ms=30.0,
    relayed=500,
    relayed_per_second=7_000,
    raw=Raw(pipelined_per_second=10_000, batched_per_second=20_000),
    backlog=BACKLOG,
)


def _changed(ledger: dict[str, int], **sale: Any) -> Sale:
    doctored = msgspec.structs.replace(EXACT, **ledger)
    return msgspec.structs.replace(SALE, ledger=doctored, **sale)


def test_a_sale_of_exactly_its_pieces_has_no_fault() -> None:
    assert faults(SALE) == []


@pytest.mark.parametrize(
    ("sale", "said"),
    [
        (_changed({"sold": 4}, answered=4, buyers=11), "4 pieces of 3 are sold"),
        (_changed({"sold": 2}, answered=2, buyers=9), "2 pieces of 3 are sold"),
        (_changed({"pending": 1}), "1 orders are pending"),
        (_changed({"reserved": 2}), "1 pieces are left"),
        (_changed({"on_hand": 4, "reserved": 4}), "4 pieces are there"),
        (_changed({}, answered=2, buyers=9), "2 got a 201, 3 pieces are sold"),
        (_changed({}, answered=4, buyers=11), "4 buyers of 3 pieces got a 201"),
        (_changed({}, answered=4, buyers=11, killed="inventory/0"), "4 buyers of 3"),
        (_changed({}, errors={"answered 500": 1}, buyers=11), "errors: "),
        (_changed({}, buyers=12), "10 answers to 12 buyers"),
        (_changed({}, again_seconds=1.5), "for sale after 1.5 s"),
        (_changed({}, again_seconds=None), "for sale after None s"),
        (
            msgspec.structs.replace(SALE, after=msgspec.structs.replace(EXACT, sold=2)),
            "2 pieces of 3 are sold at last",
        ),
    ],
)
def test_a_doctored_sale_is_found_out(sale: Sale, said: str) -> None:
    assert any(said in fault for fault in faults(sale)), faults(sale)


def test_a_kill_may_cost_answers_but_no_piece() -> None:
    errors = {"answered 503": 1}
    killed = _changed({}, killed="orders/0", answered=2, errors=errors)
    assert faults(killed) == []
    assert faults(msgspec.structs.replace(killed, ledger=_changed({"sold": 4}).ledger))


def test_a_setting_that_is_off_is_named() -> None:
    assert not_durable({"orders": ON, "users": ON}) == []
    off = {"orders": ON, "users": ON | {"fsync": "off"}, "files": {"fsync": "on"}}
    assert not_durable(off) == [
        "users: fsync is off",
        "files: synchronous_commit is not known",
        "files: full_page_writes is not known",
    ]


async def test_postgres_counts_what_it_did_and_says_what_it_promises(
    databases: Databases,
) -> None:
    url = await databases.fresh("inventory", 1)
    before = await read_costs({"inventory": url}, 0)
    alone = await measure_alone(url, 0.3)
    # Sessions that have ended have told everything.
    spent = (await read_costs({"inventory": url}, 0)).since(before)
    holds = alone.single_row_per_second * 0.3 + alone.batch_per_second * 0.3 / BATCH
    assert holds > 2
    assert spent.transactions["inventory"] > holds / 2
    assert spent.wal_bytes > 10_000
    # The tests' own server is not durable, and says so.
    assert not_durable(await read_durability({"inventory": url})) == [
        "inventory: fsync is off",
        "inventory: full_page_writes is off",
    ]
    await databases.drop(url)


def _load(**changes: Any) -> Load:
    given: dict[str, Any] = {
        "statuses": {201: 4},
        "errors": {},
        "milliseconds": [10.0, 20.0, 30.0, 40.0],
        "order_ids": ["1", "2", "3", "4"],
        "begun_at": 100.0,
        "ended_at": 102.0,
        "cpu_seconds": 0.004,
        "by_kind": {"order": [10.0, 20.0, 30.0, 40.0]},
    }
    return Load(**given | changes)


def _reading(times: int) -> Reading:
    return Reading(
        mark=Mark(told=times, streamed=times),
        costs=Costs(
            transactions={"orders": 8 * times, "users": 2 * times},
            wal_bytes=4_000 * times,
            fsyncs=6 * times,
        ),
        shards={
            "orders/0": Shard(
                pid=1,
                messages_total=30 * times,
                batches_total=10 * times,
                calls_total=12 * times,
            )
        },
    )


def _measured(load: Load, applied_at: float = 104.0) -> Measured:
    span = Span(
        load=load,
        noop=_load(),
        applied=True,
        applied_at=applied_at,
        spent={"orders/0": 0.008},
        lags=[1.0, 2.0, 3.0],
        before=_reading(1),
        after=_reading(2),
    )
    task = Task(url="", clients=2, seconds=2, requests_max=9, scene="orders")
    return measured(task, span)


def test_figures_are_of_each_operation_that_went_well() -> None:
    refused = {"order": [10.0] * 4, BY_EDGE: [1.0, 1.0]}
    one = _measured(_load(by_kind=refused, errors={"TimeoutError": 1}))
    assert (one.operations, one.orders) == (4, 4)
    assert (one.per_second, one.answered_per_second) == (1.0, 2.0)
    assert (one.noop_per_second, one.ratio) == (2.0, 0.5)
    assert (one.p50_ms, one.p95_ms, one.p99_ms) == (30.0, 40.0, 40.0)
    assert (one.event_lag_p50_ms, one.event_lag_p99_ms) == (2.0, 3.0)
    assert one.transactions_each == {"orders": 2.0, "users": 0.5}
    assert (one.wal_bytes_each, one.fsyncs_each) == (1_000.0, 1.5)
    assert one.cpu_ms_each == {"orders/0": 2.0}
    assert one.client_cpu_ms_each == 1.0
    assert one.batch_sizes == {"orders/0": 3.0}
    assert one.calls_each == {"orders/0": 3.0}
    assert one.errors == {"TimeoutError": 1, BY_EDGE: 2}
    assert one.steps["order p99 ms"] == 10.0


def _report(**changes: Any) -> Report:
    given: dict[str, Any] = {
        "cpus": 2,
        "seconds": 2.0,
        "durability": {"orders": ON},
        "measured": [_measured(_load())],
        "audit": Verdict(violations=[], rest=Rest(seconds=0.1), counts={}),
    }
    return Report(**given | changes)


def test_a_report_says_why_its_figures_do_not_count() -> None:
    assert _report(sales=[SALE]).faults() == []
    violation = Violation("stock_sane", "SKU-1", "reserved 2, on hand 1")
    bad = Verdict(violations=[violation], rest=Rest(seconds=0.1), counts={})
    found = _report(
        audit=bad,
        durability={"orders": ON | {"fsync": "off"}},
        sales=[_changed({"pending": 1})],
        measured=[
            _measured(_load(milliseconds=[], by_kind={})),
            msgspec.structs.replace(_measured(_load()), applied=False),
        ],
    ).faults()
    assert found == [
        "stock_sane: SKU-1: reserved 2, on hand 1",
        "orders: fsync is off",
        "1 orders are pending after the sale",
        "2 clients: nothing was done",
        "2 clients: not all was applied in time",
    ]


def test_an_earlier_report_is_compared_under_the_same_conditions(
    tmp_path: Path,
) -> None:
    old = tmp_path / "old.json"
    write_kept(old, _report())
    now = msgspec.to_builtins(_report(measured=[_measured(_load(), 106.0)]))
    moved = {one.name: one.ratio for one in compare(read_report(old), now)}
    assert moved == {
        "orders, 2 clients: per_second": pytest.approx(2 / 3),
        "orders, 2 clients: ratio": pytest.approx(2 / 3),
        "orders, 2 clients: applied_after_seconds": 2.0,
    }
    others = msgspec.structs.replace(_measured(_load()), clients=3)
    report = msgspec.to_builtins(_report(measured=[others]))
    assert compare(read_report(old), report) == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"measured": 1}'])
def test_what_is_no_report_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "old.json"
    path.write_text(text)
    with pytest.raises(Failure, match=r"old\.json is not"):
        read_report(path)
    with pytest.raises(Failure, match="is not readable"):
        read_report(tmp_path / "none.json")


def test_the_tables_name_costs_and_errors(
    capsys: pytest.CaptureFixture[str],
) -> None:
    one = msgspec.structs.replace(_measured(_load()), errors={"answered 503": 2})
    show(Console(width=100), [one])
    said = " ".join(capsys.readouterr().out.split())
    assert "2 - 4 4 1 2 30.0 40.0 40.0 2 2 0.500 2.00" in said
    assert "orders/0 2.00 the shop 2.00 load client, apart 1.00" in said
    assert "transactions: orders 2.00 transactions: users 0.50" in said
    assert "2 clients: 2 of answered 503" in said


def test_a_sale_is_shown_with_its_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    rates = Rates(
        clients=8, hot_reads=100, edge_refusals=80, domain_refusals=30, orders=20
    )
    assert (rates.edge_ratio, rates.domain_ratio) == (0.8, 1.5)
    show_sales(Console(width=400), [SALE, _changed({"sold": 4})], rates)
    said = capsys.readouterr().out
    assert "3 sold, all answered in 1.00 s; refused 6 by the edge, 1 by the" in said
    assert said.count("exact") == 1
    assert "4 pieces of 3 are sold after the sale" in said
    assert f"80 {BY_EDGE}, 100 reads of one product" in said
    assert f"30 {BY_DOMAIN}, 20 orders" in said


BROWSED = Browsed(
    clients=2,
    noop_per_second=100.0,
    noop_p50_ms=1.0,
    near={"all p50 ms": 1.0, "list p50 ms": 2.0, "hits": 0.5},
    past={"all p50 ms": 3.0, "list p50 ms": 4.0},
    errors={},
    near_over_time=[MOMENT],
    past_over_time=[MOMENT, MOMENT],
)


@pytest.mark.full
@pytest.mark.parametrize(
    ("changes", "titles"),
    [
        (
            {},
            ["orders, 2 clients: a second", "latency, ms", "CPU an operation: 2.00 ms"],
        ),
        (
            {"measured": [BROWSED]},
            [
                "browse, 2 clients: a second",
                "latency, ms",
                "latency by kind of page, ms",
            ],
        ),
        (
            {"measured": [], "sales": [SALE, WATCHED]},
            ["stock against orders", "", ""],
        ),
    ],
)
def test_a_report_can_be_drawn(
    tmp_path: Path, changes: dict[str, Any], titles: list[str]
) -> None:
    pytest.importorskip("matplotlib")
    figure = draw(_report(**changes))
    assert [axes.get_title() for axes in figure.axes] == titles
    plot(_report(**changes), tmp_path / "bench.png")
    assert (tmp_path / "bench.png").read_bytes().startswith(b"\x89PNG")


def test_events_are_held_against_their_aims() -> None:
    assert EVENTS.faults() == []
    assert [(aim.key, aim.figure, aim.met) for aim in EVENTS.aims()] == [
        ("event-lag-p99", 18.5, True),
        ("relay-by-raw", 0.7, True),
        ("backlog-seconds", 2.5, True),
    ]
    late = msgspec.structs.replace(BACKLOG, applied_seconds=15.5)
    worse = msgspec.structs.replace(
        EVENTS, lag_p99_ms=20.5, relayed_per_second=6_900, backlog=late
    )
    assert [aim.met for aim in worse.aims()] == [False, False, False]
    console = Console(record=True, width=200)
    show_events(console, EVENTS)
    said = console.export_text()
    assert "p50 9.5 ms, p99 18.5 ms, at most 30.0 ms" in said
    assert (
        "1000 events published 0.5 s after the bridge was back, applied 2.5 s" in said
    )


def test_events_that_were_not_told_or_not_applied_are_faults() -> None:
    fewer = msgspec.structs.replace(BACKLOG, failed=1, missing=3)
    doctored = msgspec.structs.replace(EVENTS, failed=2, missing=4, backlog=fewer)
    assert doctored.faults() == [
        "events: 2 commands were not done",
        "events: 4 were never applied",
        "a backlog: 1 commands were not done",
        "a backlog: 3 were never applied",
    ]


@pytest.mark.full
def test_nothing_is_not_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(Failure, match="--plot has nothing to draw"):
        plot(_report(measured=[]), tmp_path / "none.png")


def test_who_waits_for_inventory_has_nothing_yet() -> None:
    middle = Ledger(sold=9, cancelled=1, pending=7, on_hand=3, reserved=3)
    assert middle.confirmed == 2
