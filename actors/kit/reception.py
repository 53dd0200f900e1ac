"""The reception of a shard: where each message of an envelope goes, and its answer."""

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from actors.kit.domain import Handler, HandlerKind
from actors.kit.item import Item
from actors.kit.process import Run
from actors.kit.reading import Reading
from actors.kit.tickets import Tickets
from actors.kit.wire import TICKET, Answers, Envelope, Moved, Outcome, Sent, pack
from bus.kit.messages import MESSAGE_TYPES, Command, Event, Message, decode, encode
from bus.kit.refusals import Failed, Unavailable, conflict, invalid
from persistence.kit.transaction import Meta

if TYPE_CHECKING:
    from actors.kit.shard import Shard

INBOX_MAX = 20_000
QUERIES_MAX = 20_000
PROCESSES_MAX = 20_000
"""Begun by those who ask; what a timer or a crash has left is taken up all the same."""
COLLECT_SECONDS = 2.0
PACE_SECONDS = 0.03


class Reception:
    """Takes envelopes for a shard; steps go to its inbox, the rest runs beside it."""

    def __init__(self, shard: "Shard") -> None:
        self.messages_total = 0
        self._shard = shard
        self._tickets = Tickets()
        self._reading = Reading(shard)
        self.lend = self._reading.lend

    async def receive(self, data: bytes) -> bytes:
        """Run an envelope; answered as soon as its steps have committed."""
        await self._shard.ready.wait()
        envelope = decode(Envelope, data)
        waiting = [self._admit(sent, envelope.lane) for sent in envelope.items]
        if waiting and all(end is TICKET for end in waiting):
            await self._keep_pace()
        outcomes = [
            end if isinstance(end, Outcome) else self._packed(await end)
            for end in waiting
        ]
        return encode(Answers(outcomes, self._tickets.take(envelope.lane)))

    async def _keep_pace(self) -> None:
        """Answer an envelope of processes with the next batch, or in a moment.

        Answered at once, every process would come in an envelope of its own: the lane
        gathers only while an answer is on its way.
        """
        await asyncio.wait({self._shard.next_batch}, timeout=PACE_SECONDS)

    async def collect(self, lane: str) -> bytes:
        """The tickets of a lane that have finished; waits for one, but not for long."""
        finished = await self._tickets.wait(lane, COLLECT_SECONDS)
        return encode(Answers([], finished))

    def _admit(self, sent: Sent, lane: str) -> Outcome | asyncio.Future[Any]:
        """Where a message goes: a step to the inbox, the others beside it."""
        kind = MESSAGE_TYPES.get(sent.kind)
        handler = self._shard.domain.handlers.get(kind) if kind else None
        if kind is None or handler is None:
            self._shard.log.error("message-unknown", message_type=sent.kind)
            return pack(Failed(sent.kind))
        if self._shard.left:  # who owns it now is found where this one is
            return pack(Moved(self._shard.shard))
        if sent.deadline <= self._shard.clock.now():
            return pack(Unavailable("too late"))
        try:
            message: Message = decode(kind, sent.body)
        except msgspec.MsgspecError as error:
            self._shard.log.error(
                "message-broken", message_type=sent.kind, error=repr(error)
            )
            return pack(Failed(sent.kind))
        if kind.key and (moved := self._shard.elsewhere(message.slot)):
            return pack(moved)
        meta = Meta.within(sent.id, sent.context, sent.sequence)
        self.messages_total += 1
        self._shard.counts.took(sent.kind)
        if handler.kind is HandlerKind.QUERY:
            if self._reading.under_way >= QUERIES_MAX:
                return pack(Unavailable("too many wait"))
            return self._reading.ask(handler, message, sent)
        if handler.kind is HandlerKind.PROCESS:
            return self._process(handler, message, meta, sent, lane)
        if self._shard.waiting >= INBOX_MAX:
            return pack(Unavailable("too many wait"))
        remembered = isinstance(message, Event) or (
            isinstance(message, Command) and (message.remembered or sent.keyed)
        )
        item = Item(
            handler,
            message,
            meta,
            deadline=sent.deadline,
            remembered=remembered,
            body_hash=sent.body_hash,
        )
        self._shard.put(item)
        return item.future

    def _packed(self, answer: Any) -> Outcome:
        """One answer that cannot be sent is a bug of its own, not of its envelope."""
        try:
            return pack(answer)
        except (TypeError, ValueError, OverflowError) as error:
            self._shard.log.error("answer-broken", exc_info=error)
            return pack(Failed("the answer cannot be sent"))

    def _process(
        self, handler: Handler, message: Message, meta: Meta, sent: Sent, lane: str
    ) -> Outcome:
        run = self._shard.processes.running.get(meta.id)
        if run is None:
            if len(self._shard.processes.running) >= PROCESSES_MAX:
                return pack(Unavailable("too many are under way"))
            run = Run(
                self._shard,
                message,
                meta,
                body_hash=sent.body_hash,
                keyed=sent.keyed,
            )
            self._shard.processes.begin(handler, run)
        elif run.body_hash and sent.body_hash and run.body_hash != sent.body_hash:
            return pack(invalid("idempotency-key-reused", "Its body was another one."))
        elif not sent.join and not run.settled:
            return pack(conflict("request-in-progress", "The first one still runs."))
        self._tickets.expect(lane, meta.id, run.answered)
        return TICKET
