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


def _bench(shop: LiveShop, path: Path, *words: str) -> dict[str, Any]:
    """Its report; it ends with 0 only when the audit is clean and the verdict good."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts.benching", *words, "--json", str(path)],
        cwd=ROOT,
        env={**os.environ, "SOUK_DATA_DIR": str(shop.data_dir)},
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS_MAX,
        check=False,
    )
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
