"""A domain of nothing but handlers, each made to try one feature of the kit.

`journal` has a row for every effect; the rows of one transaction share their `xact`.
"""

import asyncio
import re
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from bus.kit.messages import MESSAGE_TYPES, Command, Event, Message, Query, by
from bus.kit.values import Done

Kind = TypeVar("Kind", bound=type[Message])

TABLES = """
CREATE TABLE journal (
  n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL,
  what text NOT NULL, xact xid8 NOT NULL DEFAULT pg_current_xact_id());
CREATE TABLE pages (name text PRIMARY KEY, total bigint NOT NULL);
CREATE TABLE errands (id uuid PRIMARY KEY, stage int NOT NULL);
"""

GATES: dict[str, asyncio.Event] = {}
"""Where handlers wait, by name; a name that is absent is open."""
BEGUN: list[str] = []
"""What has come to a gate, or has been begun by a process, in order."""


def said(kind: Kind) -> Kind:
    """Makes a message of this module one of the domain `toy`."""
    kind.domain = "toy"
    kind.message_name = re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()
    MESSAGE_TYPES[kind.kind()] = kind
    return kind


def close_gate(name: str) -> asyncio.Event:
    """A gate that stays closed until the event is set."""
    return GATES.setdefault(name, asyncio.Event())


async def pass_gate(name: str) -> None:
    """Wait at a gate."""
    BEGUN.append(name)
    if name in GATES:
        await GATES[name].wait()


class Noted(msgspec.Struct, frozen=True):
    """How many notes the name has."""

    total: int


class Grabbed(msgspec.Struct, frozen=True):
    """Which of the wanted values the owner got."""

    values: tuple[str, ...]


class Page(msgspec.Struct, frozen=True):
    """What a shard remembers of a name."""

    total: int


@said
class Note(Command[Noted], frozen=True, kw_only=True):
    """Write into the journal, and count by what is remembered."""

    key = by("name")
    name: str
    what: str = "note"


@said
class Jot(Command[Done], frozen=True, kw_only=True):
    """Write into the journal, each time anew: nothing makes it act once."""

    key = by("name")
    remembered = False
    name: str
    what: str


@said
class Spoil(Command[Done], frozen=True, kw_only=True):
    """Write, and then break: a bug."""

    key = by("name")
    name: str


@said
class Balk(Command[Done], frozen=True, kw_only=True):
    """Refuse, `late` after it has written."""

    key = by("name")
    name: str
    late: bool = False


@said
class Stall(Command[Done], frozen=True, kw_only=True):
    """Hold the transaction open until the gate `stall:<name>` opens."""

    key = by("name")
    remembered = False
    name: str


@said
class Tell(Command[Done], frozen=True, kw_only=True):
    """Tell an event of each subject."""

    key = by("name")
    name: str
    subjects: tuple[str, ...]
    what: str = ""


@said
class Told(Event, frozen=True, kw_only=True):
    """Something was told."""

    key = by("name")
    subject = by("entity")
    name: str
    entity: str
    what: str = ""


@said
class Grab(Command[Grabbed], frozen=True, kw_only=True):
    """Claim values; refused (after the claims were taken) where `refuse` says so."""

    key = by("owner")
    owner: UUID
    values: tuple[str, ...]
    refuse: bool = False
    spoil: bool = False


@said
class LetGo(Command[Done], frozen=True, kw_only=True):
    """Give values back."""

    key = by("owner")
    owner: UUID
    values: tuple[str, ...]


@said
class Remind(Command[Done], frozen=True, kw_only=True):
    """Have `what` rung after some seconds, under a name; the same name replaces."""

    key = by("name")
    name: str
    seconds: float
    what: str = "ring"
    errand: UUID | None = None
    instead: bool = False


@said
class Forget(Command[Done], frozen=True, kw_only=True):
    """Have nothing rung."""

    key = by("name")
    name: str


@said
class Ring(Command[Done], frozen=True, kw_only=True):
    """What falls due."""

    key = by("name")
    remembered = False
    name: str
    what: str


@said
class RingInstead(Command[Done], frozen=True, kw_only=True):
    """What falls due, or comes at once when whoever has set it dies."""

    key = by("name")
    remembered = False
    stands_in = True
    name: str
    what: str


@said
class Nap(Command[Done], frozen=True, kw_only=True):
    """A process without steps; waits at the gate `nap:<name>`."""

    key = by("name")
    remembered = False
    name: str


@said
class Stroll(Command[Done], frozen=True, kw_only=True):
    """A process that jots, each time anew, behind the gate `stroll:<name>`."""

    key = by("name")
    remembered = False
    name: str
    what: str


@said
class RunErrand(Command[Noted], frozen=True, kw_only=True):
    """A process of four steps, with the gates `errand:<stage>` between them."""

    key = by("name")
    remembered = False
    name: str
    id: UUID
    broken: int = 0


@said
class Advance(Command[Noted], frozen=True, kw_only=True):
    """A step of an errand: from `stage` - 1 to `stage`, once."""

    key = by("name")
    remembered = False
    name: str
    id: UUID
    stage: int


@said
class Embark(Command[Noted], frozen=True, kw_only=True):
    """A process that an errand takes up once it has begun."""

    key = by("name")
    remembered = False
    name: str
    id: UUID


@said
class Depart(Command[Noted], frozen=True, kw_only=True):
    """Its first step, to stage 1; refused where that is done."""

    key = by("name")
    remembered = False
    name: str
    id: UUID


@said
class Survey(Command[Noted], frozen=True, kw_only=True):
    """A process that counts a name's notes; the gate `survey` is in its reading."""

    key = by("name")
    remembered = False
    name: str


@said
class Look(Query[Noted], frozen=True, kw_only=True):
    """How many notes a name has."""

    key = by("name")
    name: str


@said
class Peek(Query[Noted], frozen=True, kw_only=True):
    """As Look, many at once; a name `bad` breaks it, `short` is left unanswered."""

    key = by("name")
    name: str


def reset() -> None:
    """Open all gates and forget what was begun."""
    for gate in GATES.values():
        gate.set()
    GATES.clear()
    BEGUN.clear()


def facts(rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """A journal's rows as (name, what)."""
    return [(row["name"], row["what"]) for row in rows]
