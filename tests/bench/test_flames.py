"""Flame graphs, and who may make them."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from scripts.benching.flames import draw, innermost, package_of, packages, read_stacks
from scripts.benching.profiling import RATE_HZ, record, summed
from scripts.launcher.failures import Failure

STACKS = """<module> (worker.py);send (actors/kit/lane.py);pack<T> (msgspec/json.py) 60
<module> (worker.py);send (actors/kit/lane.py) 30
<module> (worker.py) 10
not a stack
"""
SVG = "{http://www.w3.org/2000/svg}"


def test_samples_are_counted_by_function_and_by_package() -> None:
    stacks = read_stacks(STACKS)
    assert list(innermost(stacks).items()) == [
        ("pack<T> (msgspec/json.py)", 60),
        ("send (actors/kit/lane.py)", 30),
        ("<module> (worker.py)", 10),
    ]
    assert packages(stacks) == {"msgspec": 60, "actors": 30, "python": 10}
    assert package_of("run (asyncio/runners.py)") == "python"


def test_a_callee_lies_on_its_caller_and_is_as_wide_as_its_share() -> None:
    drawn = ET.fromstring(draw("orders & <more>", read_stacks(STACKS)))
    boxes = {}
    for group in drawn.iter(f"{SVG}g"):
        title, box = group.findtext(f"{SVG}title"), group.find(f"{SVG}rect")
        assert title is not None and box is not None
        boxes[title] = (float(box.attrib["width"]), float(box.attrib["y"]))
    assert {title: width for title, (width, _) in boxes.items()} == {
        "<module> (worker.py): 100.0%": 1180.0,
        "send (actors/kit/lane.py): 90.0%": 1062.0,
        "pack<T> (msgspec/json.py): 60.0%": 708.0,
    }
    heights = [y for _, y in boxes.values()]
    assert heights == sorted(heights, reverse=True)
    assert len(set(heights)) == 3
    assert drawn.findtext(f"{SVG}text") == "orders & <more>"


def test_a_profile_says_how_busy_the_process_was() -> None:
    found = summed("orders", STACKS, seconds=10.0)
    assert found.samples == 100
    assert found.busy == 100 / (10 * RATE_HZ)
    assert found.packages == {"msgspec": 0.6, "actors": 0.3, "python": 0.1}
    with pytest.raises(Failure, match="orders ran no Python"):
        summed("orders", "", seconds=10.0)


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("Permission Denied: Try running again", "CAP_SYS_PTRACE"),
        ("Error: No such process", "process 1: Error: No such process"),
    ],
)
async def test_a_sampler_that_may_not_look_is_explained(
    tmp_path: Path, said: str, line: str
) -> None:
    sampler = tmp_path / "py-spy"
    sampler.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 1\n")
    sampler.chmod(0o755)
    with pytest.raises(Failure, match=line):
        await record(1, 1.0, sampler)


async def test_a_sampler_that_is_not_installed_is_named(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="py-spy is not installed: the extra `bench`"):
        await record(1, 1.0, tmp_path / "py-spy")
