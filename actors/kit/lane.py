"""Lanes: how asks reach a shard, many in one envelope."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, Self
from uuid import UUID, uuid4

from msgspec import Raw

from actors.kit.clock import Clock
from actors.kit.wire import Answers, End, Envelope, Moved, Outcome, Sent, pack
from bus.kit import families
from bus.kit.messages import Message, decode, encode
from bus.kit.metrics import Family, Meters
from bus.kit.refusals import Unavailable, Unknown

ENVELOPES_MAX = 2
ENVELOPE_MESSAGES_MAX = 256
LANE_MESSAGES_MAX = 10_000
LANE_BYTES_MAX = 32 * 1024 * 1024
SILENT_SECONDS_MAX = 3.0
PING_SECONDS_MAX = 1.0
PINGS_MAX = 2
RETRY_SECONDS = 0.05
RETRY_SECONDS_MAX = 0.5
GRACE_SECONDS = 0.5


class ShardGone(Exception):
    """The shard's process died, or is being started again."""


class ShardEnded(ShardGone):
    """The shard is no more: its pool has shrunk, and its slots are another's."""


class Address(tuple[str, int]):
    """A shard: its domain and number; written `orders/0`."""

    __slots__ = ()

    @classmethod
    def of(cls, name: str) -> Self:
        """The address that is written so."""
        domain, _, number = name.partition("/")
        return cls((domain, int(number)))

    def __str__(self) -> str:
        return f"{self[0]}/{self[1]}"


class Transport(Protocol):
    """How bytes reach a shard; raises ShardGone when its process is not there.

    ShardEnded, where it will not come again.
    """

    async def receive(self, address: Address, envelope: bytes) -> bytes:
        """Hand over an envelope."""

    async def collect(self, address: Address, lane: str) -> bytes:
        """Wait for tickets."""

    async def ping(self, address: Address) -> None:
        """Answered by the shard's control group, apart from all its work."""

    async def replace(self, address: Address) -> None:
        """Kill a shard that is silent, so that it is started again."""


class Ask:
    """One message on its way through a lane."""

    __slots__ = ("deadline", "future", "kind", "sent", "sent_once", "ticket", "timer")

    def __init__(self, kind: type[Message], sent: Sent, deadline: float) -> None:
        self.kind = kind
        self.sent = sent
        self.deadline = deadline
        self.sent_once = False
        self.ticket = False
        self.timer: asyncio.TimerHandle | None = None
        self.future: asyncio.Future[Outcome | Exception] = (
            asyncio.get_running_loop().create_future()
        )

    def finish(self, end: Outcome | Exception) -> None:
        """Answer; the first answer counts."""
        if self.timer is not None:
            self.timer.cancel()
        if not self.future.done():
            self.future.set_result(end)


class Lane:
    """The way of one process to one shard.

    At most ENVELOPES_MAX envelopes are under way; what arrives meanwhile waits and
    goes as one next envelope, so batches grow with the load and idle asks do not
    wait. When the shard dies, everything unanswered is sent again, in its order.
    """

    def __init__(self, address: Address, transport: Transport, clock: Clock) -> None:
        self.address = address
        self.name = f"{address}:{uuid4().hex[:12]}"
        self.envelopes_total = 0
        self.messages_total = 0
        self.refused_total = 0
        self.resends_total = 0
        self.replaced_total = 0
        self._transport = transport
        self._clock = clock
        self._waiting: deque[Ask] = deque()
        self._bytes = 0
        self._open: dict[UUID, list[Ask]] = {}
        self._early: dict[UUID, Outcome] = {}
        self._tickets = 0
        self._under_way = 0
        self._pumping = False
        self._collecting = False
        self._recovering = False
        self._tasks: set[asyncio.Task[None]] = set()

    def watch(self, meters: Meters, source: str, *, query: bool) -> None:
        """Tell what the lane counts, whenever somebody asks."""
        labels = {
            "source": source,
            "domain": self.address[0],
            "shard": str(self.address[1]),
            "lane": "queries" if query else "commands",
        }
        looks: dict[Family, Callable[[], float]] = {
            families.LANE_ENVELOPES: lambda: self.envelopes_total,
            families.LANE_MESSAGES: lambda: self.messages_total,
            families.LANE_UNDER_WAY: lambda: self._under_way,
            families.LANE_WAITING: lambda: len(self._waiting),
            families.LANE_WAITING_BYTES: lambda: self._bytes,
            families.LANE_REFUSED: lambda: self.refused_total,
            families.LANE_RESENDS: lambda: self.resends_total,
            families.LANE_REPLACED: lambda: self.replaced_total,
        }
        for family, look in looks.items():
            meters.gauge(family, look, **labels)

    def put(self, ask: Ask) -> None:
        """Take a message, or refuse it at once when too much waits already."""
        size = len(ask.sent.body)
        full = len(self._waiting) >= LANE_MESSAGES_MAX
        if full or self._bytes + size > LANE_BYTES_MAX:
            self.refused_total += 1
            ask.finish(Unavailable("too many messages wait for this shard"))
            return
        loop = asyncio.get_running_loop()
        seconds = ask.deadline + GRACE_SECONDS - self._clock.now()
        ask.timer = loop.call_later(max(seconds, 0), self._expire, ask)
        self._waiting.append(ask)
        self._bytes += size
        self._pump_soon()

    def _pump_soon(self) -> None:
        """Pump after this turn of the loop: what is asked in it goes together."""
        if not self._pumping:
            self._pumping = True
            asyncio.get_running_loop().call_soon(self._pump)

    def _pump(self) -> None:
        self._pumping = False
        while (
            self._waiting and self._under_way < ENVELOPES_MAX and not self._recovering
        ):
            asks: list[Ask] = []
            while self._waiting and len(asks) < ENVELOPE_MESSAGES_MAX:
                ask = self._waiting.popleft()
                self._bytes -= len(ask.sent.body)
                if not ask.future.done():
                    asks.append(ask)
            if asks:
                self._under_way += 1
                self._spawn(self._send(asks))

    async def _send(self, asks: list[Ask]) -> None:
        for ask in asks:
            ask.sent_once = True
            self._open.setdefault(ask.sent.id, []).append(ask)
        envelope = encode(Envelope(self.name, [ask.sent for ask in asks]))
        self.envelopes_total += 1
        self.messages_total += len(asks)
        try:
            data = await self._watched(self._transport.receive(self.address, envelope))
            answers = decode(Answers, data)
        except ShardGone:  # for a while, or for good
            self._under_way -= 1
            self._recover()
            return
        except Exception as error:  # noqa: BLE001 - given to those who asked
            answers = Answers([])
            for ask in asks:
                self._close(ask, Unknown(f"its envelope broke: {error!r}"))
        self._under_way -= 1
        self._take(asks, answers)
        self._pump_soon()

    def _take(self, asks: list[Ask], answers: Answers) -> None:
        for ask, outcome in zip(asks, answers.outcomes, strict=False):
            if outcome.end is not End.TICKET:
                self._close(ask, outcome)
            elif early := self._early.get(ask.sent.id):
                self._close(ask, early)
            elif not ask.future.done():
                ask.ticket = True
                self._tickets += 1
        for ticket, outcome in answers.finished:
            self._redeem(ticket, outcome)
        if self._tickets and not self._collecting:
            self._collecting = True
            self._spawn(self._collect())

    def _redeem(self, ticket: UUID, outcome: Outcome) -> None:
        """Answer who holds the ticket; one that is still on its way gets it later."""
        for ask in list(self._open.get(ticket, ())):
            if ask.ticket:
                self._close(ask, outcome)
            else:
                self._early[ticket] = outcome

    def _close(self, ask: Ask, end: Outcome | Exception) -> None:
        if ask.ticket:
            ask.ticket = False
            self._tickets -= 1
        same = self._open.get(ask.sent.id)
        if same and ask in same:
            same.remove(ask)
            if not same:
                del self._open[ask.sent.id]
                self._early.pop(ask.sent.id, None)
        ask.finish(end)

    async def _collect(self) -> None:
        """Keep one call open for the answers that come later."""
        try:
            while self._tickets and not self._recovering:
                call = self._transport.collect(self.address, self.name)
                data = await self._watched(call)
                self._take([], decode(Answers, data))
        except ShardGone:
            self._recover()
        finally:
            self._collecting = False

    async def _watched(self, call: Coroutine[Any, Any, bytes]) -> bytes:
        """Wait for a shard's answer; one that has gone silent is replaced.

        Ray does nothing about a frozen actor, so whoever waits asks its control group
        whether it lives.
        """
        task = asyncio.ensure_future(call)
        silent = 0
        while True:
            done, _ = await asyncio.wait({task}, timeout=SILENT_SECONDS_MAX)
            if done:
                return task.result()
            silent = 0 if await self._alive() else silent + 1
            if silent >= PINGS_MAX:
                task.cancel()
                self.replaced_total += 1
                await self._transport.replace(self.address)
                raise ShardGone(str(self.address))

    async def _alive(self) -> bool:
        try:
            async with asyncio.timeout(PING_SECONDS_MAX):
                await self._transport.ping(self.address)
        except TimeoutError:
            return False
        except ShardGone:
            return True  # it is being started again: its calls will say so
        return True

    def _recover(self) -> None:
        """Put all that is unanswered in front again, for the next incarnation."""
        if self._recovering:
            return
        self._recovering = True
        self._spawn(self._resend())

    async def _resend(self) -> None:
        delay = RETRY_SECONDS
        try:
            while not await self._reachable():
                await self._clock.sleep(delay)
                delay = min(delay * 2, RETRY_SECONDS_MAX)
                if not self._open and not self._waiting:
                    break
        except ShardEnded:
            self._send_elsewhere()
        unanswered = [ask for same in self._open.values() for ask in same]
        for ask in reversed(unanswered):
            ask.ticket = False
            if not ask.future.done():
                self.resends_total += 1
                ask.sent = _joined(ask.sent)
                self._waiting.appendleft(ask)
                self._bytes += len(ask.sent.body)
        self._open.clear()
        self._early.clear()
        self._tickets = 0
        self._recovering = False
        self._pump()

    def _send_elsewhere(self) -> None:
        """The first shard of a pool never ends, and says who owns a slot."""
        waiting = [*self._waiting]
        for ask in [*(one for same in self._open.values() for one in same), *waiting]:
            ask.finish(_ELSEWHERE)

    async def _reachable(self) -> bool:
        try:
            async with asyncio.timeout(PING_SECONDS_MAX):
                await self._transport.ping(self.address)
        except ShardEnded:
            raise
        except (ShardGone, TimeoutError):
            return False
        return True

    def _expire(self, ask: Ask) -> None:
        late = Unknown if ask.sent_once else Unavailable
        self._close(ask, late(f"{ask.sent.kind}: no answer in time"))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


_ELSEWHERE = pack(Moved(0))


def _joined(sent: Sent) -> Sent:
    """The same message, to be sent again: it waits for its first copy."""
    return Sent(
        kind=sent.kind,
        id=sent.id,
        deadline=sent.deadline,
        body=Raw(bytes(sent.body)),
        join=True,
        body_hash=sent.body_hash,
        context=sent.context,
        sequence=sent.sequence,
        keyed=sent.keyed,
    )
