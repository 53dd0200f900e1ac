"""A report says where it comes from; limits of a machine are measured, not typed."""

import re
import sys
from pathlib import Path

import msgspec
import pytest

from scripts.benching import limits
from scripts.benching.keeping import Origin, read_origin, write_kept
from scripts.benching.limits import Limits

OFF = {"fsync": "off", "synchronous_commit": "on", "full_page_writes": "on"}


def test_a_report_is_kept_whole_with_its_origin_and_its_faults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [
        "bench",
        "limits",
        "--json",
        "/home/x/y.json",
        "--seconds",
        "2",
        "--plot=a",
    ]
    monkeypatch.setattr(sys, "argv", words)
    path = tmp_path / "new" / "limits.json"
    write_kept(path, Limits(cpus=2, limits=[], durability={"orders": OFF}))
    kept = msgspec.json.decode(path.read_bytes())
    assert kept["faults"] == ["orders: fsync is off"]
    assert kept["cpus"] == 2
    origin = msgspec.convert(kept["origin"], Origin)
    assert origin.command == "scripts/bench limits --seconds 2"
    assert re.fullmatch(r"[0-9a-f]{40}(-changed)?|unknown", origin.commit)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", origin.at)
    assert [each.name for each in path.parent.iterdir()] == ["limits.json"]


def test_a_long_command_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", "x" * 500])
    assert len(read_origin().command) == 200


@pytest.mark.parametrize("name", ["_synced", "_copied", "_hashed", "_there_and_back"])
def test_a_limit_of_the_machine_is_measured(tmp_path: Path, name: str) -> None:
    found = getattr(limits, name)(0.05, tmp_path)
    assert found.figure > 0
    assert found.unit and found.how
    assert list(tmp_path.iterdir()) == []
