"""Seeds: few here, many in `scripts/test --full` and at night."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.counting import Adopted, Counting
from tests.simulation.ordering import Ordering
from tests.simulation.running import Scene, run

ROOT = Path(__file__).resolve().parents[2]
FOUND = {
    "a timer whose commit got no answer": (Counting, 98),
    "a stream that is lost before it is written of": (Counting, 281),
    "a shard whose slots have all moved away": (Counting, 329),
    "a late copy, cut off in its start, that takes over": (Counting, 102258),
    "work left behind an answer whose commit got no answer": (Ordering, 493),
    "a beginning that is refused when it is asked for again": (Ordering, 164),
    "a process whose reading loses its connection": (Ordering, 285),
    "a domain whose start finds no database": (Ordering, 87),
}
"""Seeds that are broken where what they have found is not mended."""


def broken(scene: type[Scene], seeds: range) -> dict[int, list[str]]:
    """The seeds that broke a promise, with what they broke."""
    results = (run(scene, seed) for seed in seeds)
    return {one.seed: one.violations for one in results if one.violations}


def test_a_few_seeds_of_the_kit_keep_every_promise() -> None:
    assert broken(Counting, range(1000, 1004)) == {}


def test_a_few_seeds_with_standbys_keep_every_promise() -> None:
    assert broken(Adopted, range(1000, 1002)) == {}


def test_a_few_seeds_of_orders_keep_every_promise() -> None:
    assert broken(Ordering, range(1000, 1001)) == {}


def test_shards_are_handed_over_in_these_seeds() -> None:
    lines = run(Adopted, 1000, tracing=True).lines
    assert [line for line in lines if " says handed-over " in line] != []


@pytest.mark.full
@pytest.mark.timeout(1_800)
def test_many_seeds_of_the_kit_keep_every_promise() -> None:
    assert broken(Counting, range(600)) == {}


@pytest.mark.full
@pytest.mark.timeout(1_800)
def test_many_seeds_with_standbys_keep_every_promise() -> None:
    assert broken(Adopted, range(600)) == {}


@pytest.mark.full
@pytest.mark.timeout(1_800)
def test_many_seeds_of_orders_keep_every_promise() -> None:
    assert broken(Ordering, range(300)) == {}


@pytest.mark.parametrize(("scene", "seed"), FOUND.values(), ids=FOUND)
def test_what_a_seed_has_found_is_mended(scene, seed) -> None:
    assert run(scene, seed).violations == []


@pytest.mark.parametrize(
    "scene", [Counting, pytest.param(Ordering, marks=pytest.mark.full)]
)
def test_one_seed_goes_the_same_way_twice(scene) -> None:
    first = run(scene, 12, tracing=True)
    other = run(scene, 13)
    again = run(scene, 12, tracing=True)
    assert len(first.lines) > 50
    assert first.lines == again.lines
    assert first.fingerprint == again.fingerprint
    assert other.fingerprint != first.fingerprint


@pytest.mark.full
def test_a_seed_goes_the_same_way_in_every_process() -> None:
    """Whatever PYTHONHASHSEED: no order of a set decides anything."""
    assert _fingerprint("1") == _fingerprint("2")


def _fingerprint(hash_seed: str) -> str:
    command = ["-m", "tests.simulation", "--scene", "counting", "--seed", "14"]
    ended = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.startswith("counting 14: ")
    return ended.stdout
