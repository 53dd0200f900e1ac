"""The page of figures is what the script makes of reports, and of nothing else."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from scripts.benching.beside import FIGURES, PAGE
from scripts.benching.figures import (
    Figures,
    collect,
    read_figures,
    read_reports,
    write_figures,
)
from scripts.benching.performance import BEGIN, END, blocks, page
from scripts.benching.stated import UNKNOWN, stated_keys
from scripts.launcher.failures import Failure

HERE = Path(__file__).parent
KEYS = ["never-measured", "order-cpu", "orders-by-noop"]
NAMES = ("aims", "scenes", "profiles", "limits", "durability")


def report(at: str, *aims: dict[str, Any], **more: Any) -> dict[str, Any]:
    """One as a file holds it."""
    origin = {"commit": "f" * 40, "at": at, "command": "scripts/bench orders"}
    return {"origin": origin, "faults": [], "aims": list(aims), **more}


def aim(figure: float, key: str = "orders-by-noop") -> dict[str, Any]:
    """One of a report."""
    return {"key": key, "what": "orders", "figure": figure, "aim": 0.25}


def test_a_small_report_becomes_these_lines() -> None:
    figures = collect(Figures(), read_reports([HERE / "golden"]), KEYS)
    made = "\n".join(
        f"{BEGIN.format(name)}\n\n" + "\n".join(lines) + f"\n\n{END.format(name)}\n"
        for name, lines in blocks(figures, KEYS).items()
    )
    assert made == (HERE / "golden" / "page.md").read_text()


def test_what_a_person_wrote_stays_and_twice_is_as_once() -> None:
    figures = collect(Figures(), read_reports([HERE / "golden"]), KEYS)
    marks = [f"{BEGIN.format(name)}\n{END.format(name)}" for name in NAMES]
    text = "above\n" + "\nbetween\n".join(marks) + "\nbelow\n"
    once = page(text, figures, KEYS)
    assert once.startswith("above\n") and once.endswith("\nbelow\n")
    assert once.count("\nbetween\n") == 4
    assert page(once, figures, KEYS) == once
    with pytest.raises(Failure, match="end of scenes"):
        page(text.replace(END.format("scenes"), ""), figures, KEYS)


def test_the_committed_page_is_what_the_script_makes_of_the_kept_figures() -> None:
    text = PAGE.read_text(encoding="utf-8")
    figures = read_figures(FIGURES)
    assert page(text, figures, stated_keys()) == text, "run ./scripts/bench aims"


def test_every_aim_of_the_code_has_one_row_on_the_page() -> None:
    keys = stated_keys()
    assert UNKNOWN not in keys, "write an Aim's key where it is made, as a plain text"
    assert {"orders-by-noop", "order-cpu", "checkouts"} <= set(keys)
    text = PAGE.read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert {key: sum(f"`{key}`" in row for row in rows) for key in keys} == (
        dict.fromkeys(keys, 1)
    )


def test_the_newest_report_of_an_aim_is_kept_whatever_comes_later() -> None:
    old, new = report("2026-01-01", aim(0.1)), report("2026-01-02", aim(0.3))
    kept = collect(Figures(), [old, new], KEYS)
    assert kept.aims["orders-by-noop"].aim.figure == 0.3
    assert collect(kept, [old], KEYS) == kept
    assert collect(kept, [], KEYS) == kept
    other = collect(kept, [report("2026-01-03", aim(5.0, "order-cpu"))], KEYS)
    assert other.aims["orders-by-noop"] == kept.aims["orders-by-noop"]
    assert other.aims["order-cpu"].aim.figure == 5.0


def test_an_aim_that_the_code_no_longer_states_is_gone() -> None:
    kept = collect(Figures(), [report("2026-01-01", aim(0.1))], KEYS)
    assert collect(kept, [], ["order-cpu"]).aims == {}


def test_figures_of_a_run_with_faults_do_not_count() -> None:
    bad = report("2026-01-01", aim(0.9)) | {"faults": ["stock_sane: SKU-1: broken"]}
    figures = collect(Figures(), [bad], KEYS)
    (row,) = [line for line in blocks(figures, KEYS)["aims"] if "orders (" in line]
    assert "| **does not count** | stock_sane: SKU-1: broken |" in row
    assert "met" not in row


def test_a_report_that_has_changed_its_shape_is_named() -> None:
    with pytest.raises(Failure, match="the report of `scripts/bench orders` is not"):
        collect(Figures(), [report("2026-01-01", {"key": "a", "figure": "?"})], KEYS)
    with pytest.raises(Failure, match="the report of `scripts/bench orders` is not"):
        collect(Figures(), [report("2026-01-01", {"what": "no key"})], KEYS)


def test_kept_figures_are_read_as_they_were_written(tmp_path: Path) -> None:
    figures = collect(Figures(), read_reports([HERE / "golden"]), KEYS)
    path = tmp_path / "kept" / "figures.json"
    assert read_figures(path) == Figures()
    write_figures(path, figures)
    assert read_figures(path) == figures
    assert blocks(read_figures(path), KEYS) == blocks(figures, KEYS)
    path.write_text("{")
    with pytest.raises(Failure, match="is not readable"):
        read_figures(path)


def test_what_is_no_report_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "coverage.json").write_text('{"files": {}}')
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "half.json").write_text('{"origin": {"commit": "a"}}')
    kept = report("2026-01-01", aim(0.1))
    (tmp_path / "orders.json").write_bytes(msgspec.json.encode(kept))
    assert read_reports([tmp_path]) == [kept]
    (tmp_path / "torn.json").write_text('{"origin"')
    with pytest.raises(Failure, match=r"torn\.json is not readable"):
        read_reports([tmp_path])


def test_an_aim_without_a_key_of_its_own_is_found(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text('Aim(key="b", what="")\nAim(key="a")\n')
    assert stated_keys(tmp_path) == ["a", "b"]
    (tmp_path / "two.py").write_text("key = 1\nAim(key=key)\n")
    assert stated_keys(tmp_path) == [UNKNOWN, "a", "b"]
    with pytest.raises(Failure, match="no key written where it is made"):
        collect(Figures(), [], stated_keys(tmp_path))
