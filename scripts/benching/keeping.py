"""How a report is kept: one JSON document that says of which commit it is, and when."""

import os
import shlex
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import msgspec

from scripts.launcher.commit import read_commit

COMMAND_CHARACTERS_MAX = 200
FILES = ("--json", "--plot", "--compare")
"""Options whose files change no figure, and are only on this machine."""


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where figures come from: the commit, the time of day in UTC, and the command."""

    commit: str
    at: str
    command: str


class Judged(Protocol):
    """A report that can say why its figures do not count."""

    def faults(self) -> list[str]:
        """Nothing when they do."""


def write_kept(path: Path, report: Judged) -> None:
    """As one JSON document, with its origin and its faults beside."""
    kept = msgspec.to_builtins(report)
    kept |= {"origin": msgspec.to_builtins(read_origin()), "faults": report.faults()}
    write_whole(path, msgspec.json.format(msgspec.json.encode(kept)))


def write_whole(path: Path, text: bytes) -> None:
    """Whoever reads meanwhile, or after a kill, finds what was there or all of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_bytes(text)
    part.replace(path)


def read_origin() -> Origin:
    """Of this process: what it was called with, now."""
    command = shlex.join(["scripts/bench", *_telling(sys.argv[1:])])
    return Origin(
        commit=read_commit(),
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command[:COMMAND_CHARACTERS_MAX],
    )


def _telling(words: list[str]) -> Iterator[str]:
    """All but FILES, with their values."""
    left = iter(words)
    for word in left:
        if word in FILES:
            next(left, None)
        elif not word.startswith(tuple(f"{name}=" for name in FILES)):
            yield word
