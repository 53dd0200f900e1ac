"""The bench, each of its scenes for a moment against one shop."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.benching.costs import DURABLE
from tests.e2e.shops import ROOT, LiveShop

pytestmark = pytest.mark.full

RUN_SECONDS_MAX = 240
SHORT = ("--seconds", "1.5", "--clients", "8")


def _run(shop: LiveShop, path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scripts.benching", *words, "--json", str(path)],
        cwd=ROOT,
        env={**os.environ, "SOUK_DATA_DIR": str(shop.data_dir)},
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS_MAX,
        check=False,
    )


def _bench(shop: LiveShop, path: Path, *words: str) -> dict[str, Any]:
    """Its report; it ends with 0 only when the audit is clean and the verdict good."""
    done = _run(shop, path, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    report: dict[str, Any] = json.loads(path.read_text())
    assert report["audit"]["violations"] == []
    assert {name for name, said in report["durability"].items()} >= {"orders", "users"}
    for said in report["durability"].values():
        assert said == dict.fromkeys(DURABLE, "on")
    return report


@pytest.mark.parametrize("scene", ["orders", "cart", "checkout", "replay", "mixed"])
def test_a_scene_is_measured_and_audited(
    live_shop: LiveShop, tmp_path: Path, scene: str
) -> None:
    words = (scene, *SHORT, "--products", "200")
    report = _bench(live_shop, tmp_path / "report.json", *words)
    (one,) = report["measured"]
    assert one["errors"] == {}
    assert one["applied"]
    assert one["operations"] > 0
    assert (one["orders"] > 0) == (scene != "cart")
    assert 0 < one["p50_ms"] <= one["p95_ms"] <= one["p99_ms"]
    assert one["wal_bytes_each"] > 0
    assert one["fsyncs_each"] > 0
    assert one["transactions_each"]["orders"] > 0
    assert {"orders/0", "gateway", "Postgres", "NATS"} <= one["cpu_ms_each"].keys()
    if one["orders"]:
        assert 0 < one["event_lag_p50_ms"] <= one["event_lag_p99_ms"]


def test_a_fixed_rate_is_kept_and_compared(live_shop: LiveShop, tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    words = ("orders", "--rate", "10", "--seconds", "2", "--clients", "32")
    report = _bench(live_shop, path, *words, "--processes", "2")
    (one,) = report["measured"]
    assert one["asked_per_second"] == 10
    assert one["operations"] == one["orders"] == 20
    _bench(live_shop, tmp_path / "new.json", *words, "--compare", str(path))


def test_looking_around_is_measured(live_shop: LiveShop, tmp_path: Path) -> None:
    words = ("browse", *SHORT, "--products", "200")
    (one,) = _bench(live_shop, tmp_path / "report.json", *words)["measured"]
    assert one["errors"] == {}
    assert one["near"]["all per second"] > 0
    assert one["near"]["hits"] > 0


def test_events_are_timed_relayed_and_taken_up(
    live_shop: LiveShop, tmp_path: Path
) -> None:
    words = ("events", "--seconds", "1", "--rate", "100", "--backlog", "300")
    report = _bench(live_shop, tmp_path / "report.json", *words)
    found = report["events"]
    assert (found["told"], found["failed"], found["missing"]) == (100, 0, 0)
    assert 0 < found["lag_p50_ms"] <= found["lag_p99_ms"] <= found["lag_max_ms"]
    assert found["relayed"] == 300
    assert found["relayed_per_second"] > 0
    assert all(rate > 0 for rate in found["raw"].values())
    waited = found["backlog"]
    assert (waited["told"], waited["failed"], waited["missing"]) == (300, 0, 0)
    assert waited["applied_seconds"] > 0
    keys = [aim["key"] for aim in report["aims"]]
    assert keys == ["event-lag-p99", "relay-by-raw", "backlog-seconds"]


@pytest.mark.parametrize("kill", [(), ("--kill", "inventory/0")])
def test_a_flash_sale_is_exact(
    live_shop: LiveShop, tmp_path: Path, kill: tuple[str, ...]
) -> None:
    words = ("flash", *SHORT, "--buyers", "300", "--pieces", "20", *kill)
    report = _bench(live_shop, tmp_path / "report.json", *words)
    (sale,) = report["sales"]
    assert sale["ledger"]["sold"] == sale["after"]["sold"] == 20
    assert sale["again_seconds"] <= 1
    assert all(rate > 0 for rate in report["rates"].values())


def test_a_marketplace_has_no_anomaly(live_shop: LiveShop, tmp_path: Path) -> None:
    small = ("--sellers", "4", "--products-each", "5", "--customers", "20")
    words = ("marketplace", "--seconds", "4", "--clients", "8", *small)
    report = _bench(live_shop, tmp_path / "report.json", *words)
    assert [one["keys"] for one in report["marketed"]] == ["uniform", "zipf"]
    for one, figures in zip(report["marketed"], report["measured"], strict=True):
        assert figures["errors"] == {}
        assert figures["applied"]
        assert one["transactions"] == sum(
            kind["count"] for kind in one["kinds"].values()
        )
        assert one["kinds"]["Customer Checkout"]["count"] > 0
        assert one["kinds"]["Seller Dashboard"]["p99_ms"] > 0
        assert one["per_core"] > 0
    for check in report["checked"]:
        assert all(found == [] for found in check["anomalies"].values())
        assert check["orders"] > 0
        assert check["events"] > check["orders"]
        assert check["whole_dashboards"] > 0
    aims = {aim["key"]: aim["figure"] for aim in report["aims"]}
    assert aims["marketplace-anomalies"] == 0
    assert aims["marketplace-zipf-by-uniform"] > 0


def test_the_yardsticks_stand_beside(live_shop: LiveShop, tmp_path: Path) -> None:
    words = ("orders", *SHORT, "--yardsticks")
    report = _bench(live_shop, tmp_path / "report.json", *words)
    found = report["yardsticks"]
    assert found["uvicorn_per_second"] > found["serve_per_second"] > 0
    assert found["postgres"]["batch_per_second"] > 0
    assert found["postgres"]["single_row_per_second"] > 0


def test_holds_are_measured_and_given_back(live_shop: LiveShop, tmp_path: Path) -> None:
    words = ("holds", "--seconds", "2.5", "--clients", "64")
    report = _bench(live_shop, tmp_path / "report.json", *words)
    turns = report["holds"]["rounds"]
    assert len(turns) == 5
    for turn in turns:
        assert turn["kept"] == turn["hot"]["count"] + turn["uniform"]["count"] > 0
        assert turn["left"] == 0
        assert turn["batch_per_second"] > turn["single_row_per_second"] > 0
    assert [aim["key"] for aim in report["aims"]] == [
        "holds-by-single-rows",
        "holds-by-batches",
        "holds-hot-by-uniform",
    ]


def test_asks_are_measured_beside_calls(live_shop: LiveShop, tmp_path: Path) -> None:
    words = ("asks", "--seconds", "2.5", "--clients", "16")
    report = _bench(live_shop, tmp_path / "report.json", *words)
    for turn in report["asks"]["rounds"]:
        assert all(done["count"] > 0 for done in turn.values())
    assert [aim["key"] for aim in report["aims"]] == [
        "asks-by-calls",
        "idle-ask-by-call",
    ]


def test_the_order_process_is_measured_beside_a_workflow(
    live_shop: LiveShop, tmp_path: Path
) -> None:
    words = ("process", "--seconds", "3", "--clients", "8")
    report = _bench(live_shop, tmp_path / "report.json", *words)
    for turn in report["process"]["rounds"]:
        assert turn["orders"]["count"] > 0
        assert all(done["count"] > 0 for done in turn["workflows"])
    assert report["process"]["committed"] > report["process"]["warmed"] > 0
    assert [aim["key"] for aim in report["aims"]] == ["process-by-workflow"]


def test_a_load_runs_as_ray_tasks(live_shop: LiveShop, tmp_path: Path) -> None:
    words = ("orders", *SHORT, "--from-ray", "--processes", "2")
    report = _bench(live_shop, tmp_path / "report.json", *words)
    (one,) = report["measured"]
    assert one["errors"] == {}
    assert one["operations"] == one["orders"] > 0
    assert one["client_cpu_ms_each"] > 0
    assert sum(moment["done_per_second"] for moment in one["over_time"]) > 0


def test_a_watched_sale_is_drawn(live_shop: LiveShop, tmp_path: Path) -> None:
    picture = tmp_path / "sale.png"
    words = ("flash", *SHORT, "--buyers", "100", "--pieces", "20")
    report = _bench(live_shop, tmp_path / "a.json", *words, "--plot", str(picture))
    looks = [look["ledger"] for look in report["sales"][0]["over_time"]]
    assert looks[-1] == report["sales"][0]["ledger"]
    for look in looks:
        assert look["sold"] - look["pending"] <= 20
        assert 0 <= look["reserved"] <= look["on_hand"] <= 20
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_limits_of_the_machine_are_measured(
    live_shop: LiveShop, tmp_path: Path
) -> None:
    path = tmp_path / "limits.json"
    done = _run(live_shop, path, "limits", "--seconds", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    found = {
        one["what"]: one["figure"] for one in json.loads(path.read_text())["limits"]
    }
    assert len(found) == 7
    assert min(found.values()) > 0


def test_the_processes_under_load_are_drawn_as_flames(
    live_shop: LiveShop, tmp_path: Path
) -> None:
    path = tmp_path / "profile.json"
    words = ("profile", "--seconds", "3", "--clients", "8", "--into", str(tmp_path))
    done = _run(live_shop, path, *words)
    if "CAP_SYS_PTRACE" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
    found = {one["name"]: one for one in json.loads(path.read_text())["profiles"]}
    assert found.keys() == {"gateway", "orders", "inventory"}
    assert "actors" in found["orders"]["packages"]
    for name in found:
        drawn = (tmp_path / f"{name}.svg").read_text()
        assert drawn.startswith("<svg") and "</svg>" in drawn
        assert str(ROOT) not in drawn


def test_a_shop_with_a_past_is_measured_at_each_size_and_is_sound(
    tmp_path: Path,
) -> None:
    """It starts a shop of its own several times, whose past is loaded in between."""
    path = tmp_path / "growth.json"
    sizes = ("--sizes", "100,300", "--products", "200")
    words = ("growth", *sizes, "--clients", "4", "--seconds", "1")
    done = subprocess.run(
        [sys.executable, "-m", "scripts.benching", *words, "--json", str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=3 * RUN_SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    growth = json.loads(path.read_text())["growth"]
    small, large = growth["sizes"]
    assert (small["loaded"]["orders"], large["loaded"]["orders_new"]) == (100, 200)
    for size in growth["sizes"]:
        assert size["violations"] == []
        assert size["measured"]["orders"] > 0
        assert all(page["count"] > 0 for page in size["reads"].values())
    aims = {aim["key"]: aim for aim in json.loads(path.read_text())["aims"]}
    assert aims["growth-start"]["figure"] > 0
    assert aims["growth-cpu-ms-an-order"]["aim"] == 1.2


def test_a_soak_samples_every_process_and_tells_its_slope(
    live_shop: LiveShop, tmp_path: Path
) -> None:
    words = ("soak", "--minutes", "0.4", "--rate", "5")
    report = _bench(live_shop, tmp_path / "soak.json", *words)
    soak = report["soak"]
    assert soak["operations"] == 120
    assert soak["errors"] == {}
    assert soak["applied"]
    assert {"orders/0", "gateway", "Postgres", "NATS"} <= soak["trends"].keys()
    orders = soak["trends"]["orders/0"]
    assert orders["samples"] >= 5
    assert 0 < orders["held"]["unique"] <= orders["held"]["resident"]
    assert orders["held"]["files"] > 0
    assert soak["entities"]["orders/0"] > 0
    keys = {aim["key"] for aim in report["aims"]}
    assert {"soak-memory", "soak-files", "soak-connections"} <= keys
