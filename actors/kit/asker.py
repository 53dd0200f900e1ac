"""`ask`: one message to whoever owns its key, and one of its four ends."""

import random
import time
from collections.abc import Callable
from typing import Any, TypedDict, TypeVar, Unpack, overload
from uuid import UUID

import msgspec

from actors.kit.clock import Clock
from actors.kit.lane import Address, Ask, Lane, Transport
from actors.kit.wire import Moved, Outcome, Sent, unpack
from bus.kit import families, traces
from bus.kit.addressing import SLOTS, new_id
from bus.kit.context import CURRENT
from bus.kit.messages import Command, Event, Message, Query, encode
from bus.kit.metrics import Meters, Sample
from bus.kit.refusals import Refusal, Unavailable, Unknown

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
        name: str = "",
    ) -> None:
        self._transport = transport
        self._shards = shards
        self._clock = clock or Clock()
        self._lanes: dict[tuple[Address, bool], Lane] = {}
        self._owners: dict[tuple[str, int], int] = {}
        self._name = name
        self._asked: dict[str, Asked] = {}
        self.meters = Meters()

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
        domain = options.get("domain") or type(message).domain
        asked = self._asked.get(domain)
        if asked is None:
            asked = self._asked[domain] = Asked(self.meters, self._name, domain)
        began_at = time.perf_counter()
        end = "failed"
        try:
            with traces.span(type(message).kind(), "client"):
                answer = await self._ask(domain, message, options)
            end = "reply"
            return answer
        except (Refusal, Unavailable, Unknown) as error:
            end = _END_NAMES[type(error)]
            raise
        finally:
            asked.ended(end, time.perf_counter() - began_at)

    async def _ask(self, domain: str, message: Any, options: Options) -> Any:
        kind = type(message)
        seconds = options.get("timeout_seconds", TIMEOUT_SECONDS)
        deadline = self._clock.now() + seconds
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
            answer = await self._ask_once(domain, message, sent, deadline)
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
            if type(message).key:
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
            lane.watch(self.meters, self._name, query=query)
        return lane

    def samples(self) -> list[Sample]:
        """What was asked of whom, and how its lanes stand."""
        return self.meters.samples()


class Asked:
    """How the asks of one domain have ended."""

    def __init__(self, meters: Meters, source: str, domain: str) -> None:
        labels = {"source": source, "domain": domain}
        self._seconds = meters.histogram(families.ASK_SECONDS, **labels)
        self._ends = {
            end: meters.counter(families.ASKS, **labels, end=end)
            for end in ("reply", "refused", "unavailable", "unknown", "failed")
        }

    def ended(self, end: str, seconds: float) -> None:
        """One has ended in this way."""
        self._seconds.observe(seconds)
        self._ends[end].value += 1


_END_NAMES: dict[type, str] = {
    Refusal: "refused",
    Unavailable: "unavailable",
    Unknown: "unknown",
}
