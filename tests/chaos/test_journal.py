"""The journal is written as it happens, and read as far as it is whole."""

from functools import partial
from pathlib import Path

import msgspec
import pytest

from scripts.breaking import journal
from scripts.breaking.journal import Journal, read_journal
from scripts.breaking.recovering import part_of, recovery_seconds
from tests.chaos.evidence import BOUGHT, NOW, entry, hit, mail, sound, with_books


def test_an_answer_takes_the_place_of_its_question(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    asked = entry("order", status=0)
    answered = msgspec.structs.replace(asked, status=201, order_id=str(BOUGHT))
    other = entry("login", status=200)
    with Journal(path) as kept:
        for each in (asked, other, answered):
            kept.note(each)
        assert kept.entries == [answered, other]
    assert read_journal(path) == [answered, other]
    assert len(path.read_bytes().splitlines()) == 3


def test_what_is_noted_is_in_the_file_before_the_end_and_a_torn_line_is_left_out(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal"
    first, second = entry("order"), entry("login")
    with Journal(path) as kept:
        kept.note(first)
        kept.note(second)
        written = path.read_bytes()
    torn = tmp_path / "torn"
    torn.write_bytes(written[:-5])
    assert read_journal(path) == [first, second]
    assert read_journal(torn) == [first]


def test_a_journal_is_appended_to_and_has_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal"
    for kind in ("order", "login"):
        with Journal(path) as kept:
            kept.note(entry(kind))
    assert [each.kind for each in read_journal(path)] == ["order", "login"]
    monkeypatch.setattr(journal, "ENTRIES_MAX", 1)
    with Journal(path) as kept:
        kept.note(entry("order"))
        with pytest.raises(OverflowError, match="1 entries"):
            kept.note(entry("login"))


def test_a_fault_is_felt_until_the_first_good_write_that_began_after_it() -> None:
    at = NOW.timestamp() - 1  # of the fault
    placed = partial(entry, "order", status=201, order_id=str(BOUGHT))
    entries = [
        placed(key="before", begun_at=at - 0.1, ended_at=at + 0.1),
        entry("order", key="lost", begun_at=at + 0.1, ended_at=at + 0.2),
        entry("declined", begun_at=at + 0.1, ended_at=at + 0.3, status=402),
        placed(key="late", begun_at=at + 0.9, ended_at=at + 2),
        placed(key="first", begun_at=at + 0.5, ended_at=at + 1.25),
        entry("login", begun_at=at, ended_at=at + 0.75, status=200),
    ]
    books = sound().books
    for name in ("kill orders/0", "kill gateway/0", "kill postgres", "cut provider"):
        assert recovery_seconds(hit(name), entries, books) == pytest.approx(1.25)
    assert recovery_seconds(hit("kill users/0"), entries, books) == pytest.approx(0.75)
    assert recovery_seconds(hit("kill files/0"), entries, books) is None
    assert recovery_seconds(hit("kill orders/0"), entries[:3], books) is None
    skipped = hit("kill orders/0", skipped="no process found")
    assert recovery_seconds(skipped, entries, books) is None


def test_what_only_mails_show_is_felt_until_a_mail_of_something_later() -> None:
    books = with_books(messages=[mail(BOUGHT)]).books  # an id of now, so of later
    found = recovery_seconds(hit("kill bridge/0"), [], books)
    assert found == pytest.approx(1.0)
    waiting = with_books(messages=[mail(BOUGHT, "QUEUED")]).books
    assert recovery_seconds(hit("kill nats"), [], waiting) is None


def test_a_target_names_its_part_and_shard() -> None:
    assert part_of("orders/3") == ("orders", 3)
    assert part_of("postgres/orders") == ("orders", None)
    assert part_of("postgres") == ("postgres", None)
    assert part_of("gateway/0") == ("gateway", None)
