"""The page on security: all that the standards ask for, once, with tests there are."""

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import NamedTuple

from scripts.referencing.settings import settings_page

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/security.md"
STATES = ("met", "in part", "not met", "n/a")
SHOWN = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")

# The last requirement of level 1 or 2 in each section of ASVS 5.0.0; those of level 3
# stand behind them. https://github.com/OWASP/ASVS/tree/v5.0.0/5.0/en
LAST = {
    1: (2, 9, 11, 3, 2),
    2: (3, 3, 4, 1),
    3: (0, 2, 4, 6, 5, 0, 2),
    4: (3, 1, 2, 4),
    5: (1, 3, 2, 3),
    6: (3, 12, 4, 4, 5, 3, 0, 4),
    7: (3, 4, 2, 5, 2, 2),
    8: (2, 3, 1, 1),
    9: (3, 4),
    10: (2, 2, 4, 11, 5, 2, 3),
    11: (2, 3, 3, 4, 1, 1),
    12: (3, 2, 4),
    13: (1, 5, 2, 5),
    14: (2, 4, 3),
    15: (3, 3, 7),
    16: (1, 5, 4, 3, 3),
    17: (1, 4, 2),
}
REQUIREMENTS = 253
"""How many of level 1 and 2 there are, by the standard's own count (70 and 183)."""


class Row(NamedTuple):
    """One row: what it is about, in which chapter, and what is said of it."""

    chapter: str
    numbers: tuple[str, ...]
    asks: str
    state: str
    here: str
    shown: str


def rows() -> list[Row]:
    """All rows of the chapters' tables."""
    found = []
    for part in re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)[1:]:
        title, _, text = part.partition("\n")
        if title.startswith(("V", "API ")):
            lines = [line for line in text.splitlines() if line.startswith("| ")]
            assert lines[0] == "| # | asks for | state | here | shown by |", title
            for line in lines[1:]:
                numbers, *cells = (
                    line.removeprefix("| ").removesuffix(" |").split(" | ")
                )
                assert len(cells) == 4, line
                found.append(Row(title, tuple(numbers.split(", ")), *cells))
    return found


@cache
def names_in(path: str) -> frozenset[str]:
    """The names of the tests of a file."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    functions = (ast.AsyncFunctionDef, ast.FunctionDef)
    return frozenset(n.name for n in tree.body if isinstance(n, functions))


def test_every_requirement_stands_once_and_no_other_does() -> None:
    wanted = [
        f"{chapter}.{section}.{number}"
        for chapter, lasts in LAST.items()
        for section, last in enumerate(lasts, 1)
        for number in range(1, last + 1)
    ]
    assert len(wanted) == REQUIREMENTS
    wanted += [f"API{number}" for number in range(1, 11)]
    found = Counter(number for row in rows() for number in row.numbers)
    assert sorted(found) == sorted(wanted)
    assert [number for number, times in found.items() if times > 1] == []


def test_every_row_stands_in_its_chapter_and_has_a_state_and_a_reason() -> None:
    for row in rows():
        for number in row.numbers:
            chapter = "API" if number.startswith("API") else f"V{number.split('.')[0]}"
            assert row.chapter.split()[0] == chapter, number
        assert row.state in STATES, row
        assert row.asks and row.here.endswith("."), row
        assert len(row.numbers) == 1 or row.state == "n/a", row


def test_what_is_met_is_shown_and_what_is_not_says_so() -> None:
    for row in rows():
        link = re.fullmatch(r"\[[\w ]+\]\([\w/.-]+\)", row.shown)
        shown = SHOWN.fullmatch(row.shown) or link
        if row.state in ("met", "in part"):
            assert shown, row
        elif row.state == "n/a":
            assert row.shown == "—", row
        else:
            assert row.shown == "—" or SHOWN.fullmatch(row.shown), row


def test_every_test_that_is_named_exists() -> None:
    named = SHOWN.findall(PAGE.read_text())
    assert len(named) > 150
    missing = {f"{path}::{name}" for path, name in named if name not in names_in(path)}
    assert missing == set()


def test_the_text_counts_as_the_tables_do() -> None:
    counts: dict[str, Counter[str]] = {}
    for row in rows():
        counts.setdefault(row.chapter, Counter())[row.state] += len(row.numbers)
    counts["all"] = sum(counts.values(), Counter())
    lines = [
        f"| {name} | {' | '.join(str(count[state]) for state in STATES)} "
        f"| {count.total()} |"
        for name, count in counts.items()
    ]
    head = f"| chapter | {' | '.join(STATES)} | all |"
    assert "\n".join([head, "|---|---|---|---|---|---|", *lines]) in PAGE.read_text()


def test_every_attack_has_a_test() -> None:
    _, _, text = PAGE.read_text().partition("## Attacks by name\n")
    table = [line for line in text.split("\n## ")[0].splitlines() if line[:2] == "| "]
    assert len(table) > 30
    attacks = [line.split(" | ")[0] for line in table[1:]]
    assert len(set(attacks)) == len(attacks)
    for line in table[1:]:
        assert SHOWN.search(line), line


def test_every_key_of_the_settings_is_in_the_inventory() -> None:
    """Of the shop's own keys; those of providers are theirs."""
    named = re.findall(r"`(SOUK_\w+_KEYS)`", settings_page())
    assert named
    _, _, text = PAGE.read_text().partition("## Keys and what they are for\n")
    inventory = text.split("\n## ")[0]
    assert [name for name in named if f"`{name}`" not in inventory] == []
