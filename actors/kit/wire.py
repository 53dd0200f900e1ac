"""How messages travel between processes: envelopes of many, answered together."""

import enum
from typing import Any
from uuid import UUID

import msgspec

from bus.kit.context import Context
from bus.kit.messages import Message, decode, encode, reply_type
from bus.kit.refusals import Failed, Refusal, RefusalData, Unavailable, Unknown
from bus.kit.values import Value


class Sent(Value, frozen=True, array_like=True):
    """One message under way.

    `deadline` is in seconds since the epoch; a message whose deadline has passed
    before its batch begins is not run. `join` lets a message that is sent again wait
    for its first copy instead of being refused as still running. `keyed`: its caller
    has named the id, so the kit remembers it even where the command is not
    `remembered`.
    """

    kind: str
    id: UUID
    deadline: float
    body: msgspec.Raw
    join: bool = False
    body_hash: bytes | None = None
    context: Context = Context()
    sequence: int = 0
    keyed: bool = False


class Envelope(Value, frozen=True, array_like=True):
    """Messages of one lane that go together."""

    lane: str
    items: list[Sent]


class End(enum.IntEnum):
    """How a message ended. TICKET: not yet, its answer comes later."""

    REPLY = 0
    REFUSED = 1
    UNAVAILABLE = 2
    UNKNOWN = 3
    FAILED = 4
    MOVED = 5
    TICKET = 6


class Outcome(Value, frozen=True, array_like=True):
    """A message's end and, by its kind, the reply, the refusal or the new owner."""

    end: End
    body: msgspec.Raw = msgspec.Raw(b"\xc0")


class Answers(Value, frozen=True, array_like=True):
    """The outcomes of an envelope, in its order, and of tickets that have finished."""

    outcomes: list[Outcome]
    finished: list[tuple[UUID, Outcome]] = []


class Moved(Exception):
    """The message's slot belongs to another shard."""

    def __init__(self, shard: int) -> None:
        super().__init__(shard)
        self.shard = shard


TICKET = Outcome(End.TICKET)


def pack(answer: Any) -> Outcome:
    """An answer (a reply, or the exception that stands for another end) to send."""
    if isinstance(answer, Refusal):
        return Outcome(End.REFUSED, msgspec.Raw(encode(answer.data)))
    if isinstance(answer, Moved):
        return Outcome(End.MOVED, msgspec.Raw(encode(answer.shard)))
    if isinstance(answer, Unavailable):
        return Outcome(End.UNAVAILABLE)
    if isinstance(answer, Unknown):
        return Outcome(End.UNKNOWN)
    if isinstance(answer, Exception):
        return Outcome(End.FAILED)
    return Outcome(End.REPLY, msgspec.Raw(encode(answer)))


def unpack(message: type[Message], outcome: Outcome) -> Any:
    """The answer to a message of this type; the inverse of `pack`."""
    if outcome.end is End.REPLY:
        expected = reply_type(message)
        return None if expected is None else decode(expected, outcome.body)
    if outcome.end is End.REFUSED:
        return Refusal.of(decode(RefusalData, outcome.body))
    if outcome.end is End.MOVED:
        return Moved(decode(int, outcome.body))
    if outcome.end is End.UNAVAILABLE:
        return Unavailable(message.kind())
    if outcome.end is End.UNKNOWN:
        return Unknown(message.kind())
    return Failed(message.kind())
