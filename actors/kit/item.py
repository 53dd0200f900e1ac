"""One message inside a shard, from its arrival to its answer."""

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from actors.kit.domain import Handler
from bus.kit import traces
from bus.kit.addressing import slot_of
from bus.kit.messages import Message
from bus.kit.traces import NO_SPAN, Span
from persistence.kit.transaction import Meta

if TYPE_CHECKING:
    from actors.kit.process import Run

UNANSWERED: Any = object()


class AlreadyAnswered(Exception):
    """The process's command acted before; `answer` is what it was answered then."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer


class AlreadyBegun(Exception):
    """The process's command began before; `resume` takes it up, as after a crash."""

    def __init__(self, resume: Message) -> None:
        super().__init__()
        self.resume = resume


class Item:
    """A step that waits for its batch.

    `remembered`: the kit keeps a handled row for its id. `opens` and `settles` name
    the process whose beginning, or answer, is written in the step's transaction;
    `looks` the one that only asks whether its id has acted.
    `due_id` is the due row that goes with its effect; `direct`: the item itself was
    due, not the process whose step it is. `handler` is None where only a process's
    answer is to be written; `forced` is an answer given without asking a handler.
    `known`: its command has acted before, so its row stands already. `span` is its
    own in a trace; events that it tells hang under it.
    """

    __slots__ = (
        "answer",
        "body_hash",
        "deadline",
        "direct",
        "due_id",
        "forced",
        "future",
        "handler",
        "key",
        "known",
        "last",
        "looks",
        "message",
        "meta",
        "opens",
        "remembered",
        "settles",
        "slot",
        "span",
    )

    def __init__(
        self,
        handler: Handler | None,
        message: Message,
        meta: Meta,
        *,
        deadline: float | None = None,
        remembered: bool = False,
        body_hash: bytes | None = None,
        due_id: UUID | None = None,
        direct: bool = False,
    ) -> None:
        self.direct = direct
        self.handler = handler
        self.message = message
        self.span = traces.begin(message.kind(), "server", meta.traceparent)
        self.meta = meta if self.span is NO_SPAN else _under(meta, self.span)
        self.deadline = deadline
        self.remembered = remembered
        self.body_hash = body_hash
        self.due_id = due_id
        self.key = getattr(message, message.key_field)
        self.slot = slot_of(self.key)
        self.opens: tuple[Run, Message] | None = None
        self.settles: Run | None = None
        self.looks: Run | None = None
        self.last = False
        self.known = False
        self.forced: Any = UNANSWERED
        self.answer: Any = UNANSWERED
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    @property
    def process(self) -> "Run | None":
        """The process whose row this item writes, if any."""
        return self.settles or self.looks or (self.opens[0] if self.opens else None)

    @property
    def command_id(self) -> UUID | None:
        """The id under which the kit may have handled this before."""
        if self.process is not None:
            return self.process.id
        return self.meta.id if self.remembered else None

    def finish(self, answer: Any) -> None:
        """Give whoever waits the answer (a reply, or an exception as a value)."""
        if not self.future.done():
            self.future.set_result(answer)
            self.span.end(answer)


def _under(meta: Meta, span: Span) -> Meta:
    return msgspec.structs.replace(meta, traceparent=span.traceparent)


def rounds(items: list[Item]) -> list[list[Item]]:
    """Cut a batch into rounds of one message type each, as few as the order allows.

    No message stands in an earlier round than one of its key that came before it.
    """
    cut: list[list[Item]] = []
    by_type: dict[type[Message], list[int]] = {}
    last_round: dict[Any, int] = {}
    for item in items:
        places = by_type.setdefault(type(item.message), [])
        earliest = last_round.get(item.key, 0)
        place = next((index for index in places if index >= earliest), None)
        if place is None:
            place = len(cut)
            cut.append([])
            places.append(place)
        cut[place].append(item)
        last_round[item.key] = place
    return cut
