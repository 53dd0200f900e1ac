"""The tables of deleted and changed lines name lines and tests that are there."""

from pathlib import Path

from tests.kit.deletions import ROOT, TABLE
from tests.simulation import mutations


def test_each_line_that_is_deleted_stands_once_in_its_file() -> None:
    stale = [
        one.line for one in TABLE if (ROOT / one.file).read_text().count(one.line) != 1
    ]
    assert stale == []


def test_each_test_that_should_miss_a_line_is_there() -> None:
    tests = Path(__file__).parent
    unknown = []
    for one in TABLE:
        file, _, name = one.test.partition("::")
        if f"def {name.partition('[')[0]}(" not in (tests / file).read_text():
            unknown.append(one.test)
    assert unknown == []


def test_each_line_that_is_changed_stands_once_in_its_file() -> None:
    stale = [
        one.line
        for one in mutations.TABLE
        if (ROOT / one.file).read_text().count(one.line) != 1
    ]
    assert stale == []
