"""The journal: every request with its answer, appended as it happens."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import msgspec

ENTRIES_MAX = 2_000_000


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request; `key` is its own, and that of every time it was asked again.

    Times are seconds since the epoch. Without an answer `status` is 0: it may have
    happened. `bugs` counts the answers 500 on the way. `of` is what it was about: the
    order that is cancelled, the SKU that is ordered or counted. `buyer` is an address
    that no other request has. An entry with the same key as an earlier one takes its
    place.
    """

    kind: str
    key: str
    begun_at: float
    ended_at: float = 0.0
    tries: int = 0
    status: int = 0
    code: str = ""
    order_id: str = ""
    order_status: str = ""
    of: str = ""
    buyer: str = ""
    pieces: int = 0
    bugs: int = 0

    @property
    def good(self) -> bool:
        """Whether it was answered with success."""
        return 200 <= self.status < 300


class Journal:
    """Appends to a file; what is noted is with the system before the next request.

    It is synced at the end: the breaker's own machine is not what it breaks.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._entries: dict[str, Entry] = {}
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.fsync(self._file)
        os.close(self._file)

    def note(self, entry: Entry) -> None:
        """Append it."""
        if len(self._entries) >= ENTRIES_MAX:
            raise OverflowError(f"the journal has {ENTRIES_MAX} entries")
        os.write(self._file, msgspec.json.encode(entry) + b"\n")
        self._entries[entry.key] = entry

    @property
    def entries(self) -> list[Entry]:
        """What was noted last of each request."""
        return list(self._entries.values())


def read_journal(path: Path) -> list[Entry]:
    """The entries of a file, the last of each key; a torn last line is left out."""
    whole, _, _ = path.read_bytes().rpartition(b"\n")
    return last_of_each(
        msgspec.json.decode(line, type=Entry) for line in whole.splitlines() if line
    )


def last_of_each(entries: Iterable[Entry]) -> list[Entry]:
    """What was noted last of each request, in the order of their first."""
    return list({entry.key: entry for entry in entries}.values())
