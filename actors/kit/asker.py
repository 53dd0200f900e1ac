"""`ask`: one message to whoever owns its key, and one of its four ends."""

import random
from collections.abc import Callable
from typing import Any, TypedDict, TypeVar, Unpack, overload
from uuid import UUID

import msgspec

from actors.kit.clock import Clock
from actors.kit.lane import Address, Ask, Lane, Transport
from actors.kit.wire import Moved, Outcome, Sent, unpack
from bus.kit.addressing import SLOTS, new_id
from bus.kit.context import CURRENT
from bus.kit.messages import Command, Event, Message, Query, encode
from bus.kit.refusals import Unavailable

Reply = TypeVar("Reply")

TIMEOUT_SECONDS = 10.0
MOVES_MAX = 20
MOVE_SECONDS = 0.1


class Options(TypedDict, total=False):
    """How to ask.

    `id` is the command's id, `body_hash` what its body must be when it comes again,
    `join` waits for a first copy; `keyed` has the kit remember the id whatever the
    command is; `sequence` and `domain` (its consumer) are of events.
    """

    id: UUID | None
    body_hash: bytes | None
    join: bool
    keyed: bool
    timeout_seconds: float
    sequence: int
    domain: str | None


class Asker:
    """Finds the lane of a message's shard; one for each process.

    `shards` says how many shards a domain was started with; who owns a slot is
    learned from the shards themselves when it is another than that.
    """

    def __init__(
        self,
        transport: Transport,
        shards: Callable[[str], int],
        clock: Clock | None = None,
    ) -> None:
        self._transport = transport
        self._shards = shards
        self._clock = clock or Clock()
        self._lanes: dict[tuple[Address, bool], Lane] = {}
        self._owners: dict[tuple[str, int], int] = {}

    @overload
    async def ask(
        self, message: Command[Reply], **options: Unpack[Options]
    ) -> Reply: ...
    @overload
    async def ask(self, message: Query[Reply], **options: Unpack[Options]) -> Reply: ...
    @overload
    async def ask(self, message: Event, **options: Unpack[Options]) -> None: ...
    async def ask(self, message: Any, **options: Unpack[Options]) -> Any:
        """Ask, and wait for the reply.

        Raises Refusal (nothing changed), Unavailable (never begun), Unknown (it may
        have happened: ask again with the same id) or Failed (a bug, logged there).
        """
        kind = type(message)
        seconds = options.get("timeout_seconds", TIMEOUT_SECONDS)
        deadline = self._clock.now() + seconds
        domain = options.get("domain") or kind.domain
        sent = Sent(
            kind=kind.kind(),
            id=options.get("id") or new_id(),
            deadline=deadline,
            body=msgspec.Raw(encode(message)),
            join=options.get("join", False),
            body_hash=options.get("body_hash"),
            context=CURRENT.get(),
            sequence=options.get("sequence", 0),
            keyed=options.get("keyed", False),
        )
        for move in range(MOVES_MAX):
            if move > 1:  # the new owner may not know it yet
                await self._clock.sleep(MOVE_SECONDS)
            answer = await self._ask_once(
                domain or kind.domain, message, sent, deadline
            )
            if not isinstance(answer, Moved):
                if isinstance(answer, Exception):
                    raise answer
                return answer
            sent = msgspec.structs.replace(sent, join=True)  # it may run there by now
        raise Unavailable(f"{kind.kind()}: its slot keeps moving")

    async def _ask_once(
        self, domain: str, message: Message, sent: Sent, deadline: float
    ) -> Any:
        ask = Ask(type(message), sent, deadline)
        shard = self._owner(domain, message)
        self._lane(domain, shard, query=isinstance(message, Query)).put(ask)
        end = await ask.future
        if not isinstance(end, Outcome):
            if type(message).key:  # no answer: perhaps that shard is no more
                self._owners.pop((domain, message.slot), None)
            return end
        answer = unpack(type(message), end)
        if isinstance(answer, Moved):
            self._owners[domain, message.slot] = answer.shard
            if answer.shard == shard:
                await self._clock.sleep(MOVE_SECONDS)
        return answer

    def _owner(self, domain: str, message: Message) -> int:
        shards = self._shards(domain)
        if not type(message).key:
            return random.randrange(shards) if shards > 1 else 0  # noqa: S311
        slot = message.slot
        owner = self._owners.get((domain, slot), slot % shards)
        return owner if owner < SLOTS else slot % shards

    def _lane(self, domain: str, shard: int, *, query: bool) -> Lane:
        name = (Address((domain, shard)), query)
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = Lane(name[0], self._transport, self._clock)
        return lane

    def lanes(self) -> list[Lane]:
        """All lanes in use, for metrics."""
        return list(self._lanes.values())
