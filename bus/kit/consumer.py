"""A consumer: events of the stream, to the shards of one domain, in order by entity."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import nats
from nats.aio.msg import Msg
from nats.js.errors import APIError, NotFoundError

from bus.kit import families, streams, traces
from bus.kit.cloud_events import CloudEvent, ask_to_handle
from bus.kit.context import Context
from bus.kit.dead_letters import DeadLetters
from bus.kit.messages import Event
from bus.kit.metrics import Meters
from bus.kit.refusals import Failed, Refusal, Unavailable, Unknown
from bus.kit.tasks import end_tasks

UNDER_WAY_MAX = 2_000
FETCH_MAX = 500
FETCH_SECONDS = 5.0
TRIES_MAX = 5
BACKOFF_SECONDS = 0.2
BACKOFF_SECONDS_MAX = 5.0
RETRY_SECONDS = 0.5
HOLD_SECONDS = streams.ACK_SECONDS / 3
FAILURES = (nats.errors.Error, APIError, OSError, TimeoutError)

Ask = Callable[..., Awaitable[Any]]


class Consumer:
    """Pulls one domain's events and asks the domain to handle each.

    An event is a message like any other: its id is its command id, so the domain's
    handled row is the inbox. Only one event of an entity is under way at a time.
    """

    def __init__(
        self,
        js: Any,
        domain: str,
        kinds: list[type[Event]],
        ask: Ask,
        dead: DeadLetters,
        *,
        ensure: Callable[[], Awaitable[None]],
        log: Any,
        meters: Meters | None = None,
    ) -> None:
        self.domain = domain
        meters = meters or Meters()
        self._lag_seconds = meters.histogram(families.CONSUMER_LAG, domain=domain)
        self._retries = meters.counter(families.CONSUMER_RETRIES, domain=domain)
        meters.gauge(
            families.CONSUMER_DELIVERED, lambda: self.delivered_total, domain=domain
        )
        meters.gauge(families.CONSUMER_UNDER_WAY, lambda: self.under_way, domain=domain)
        self.delivered_total = 0
        self._js = js
        self._subjects = [kind.nats_subject() for kind in kinds]
        self._ask = ask
        self._dead = dead
        self._ensure = ensure
        self._log = log
        self._last: dict[str, asyncio.Task[None]] = {}
        self._room = asyncio.Semaphore(UNDER_WAY_MAX)
        self._loop: asyncio.Task[None] | None = None
        self._pull: Any = None
        self._making = asyncio.Lock()

    async def start(self) -> None:
        """Make the durable consumer and begin to pull."""
        await self._make(streams.FIRST)
        await self._dead.load(self.domain)
        self._loop = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Pull nothing more; what is under way is delivered again later."""
        await end_tasks(task for task in (self._loop, *self._last.values()) if task)

    async def replay(self, begin: streams.Position) -> int:
        """Pull again from a position on; how many events that are.

        Nothing acts twice that has its handled row. A kill in the middle leaves a
        consumer that begins at the first event: more comes again, and acts as little.
        """
        async with self._making:  # else it could be made again, elsewhere, meanwhile
            try:
                await self._js.delete_consumer(streams.EVENTS, self.domain)
            except NotFoundError:
                self._log.warning("consumer-missing", domain=self.domain)
            await self._make(begin)
            info = await self._pull.consumer_info()
        return int(info.num_pending + info.num_ack_pending)

    async def _make(self, begin: streams.Position) -> None:
        self._pull = await streams.ensure_consumer(
            self._js, self.domain, self._subjects, UNDER_WAY_MAX, begin=begin
        )

    @property
    def under_way(self) -> int:
        """How many entities have events under way."""
        return len(self._last)

    async def _run(self) -> None:
        while True:
            try:
                for message in await self._pull.fetch(FETCH_MAX, timeout=FETCH_SECONDS):
                    await self._room.acquire()
                    await self._queue(message)
            except TimeoutError:
                continue  # nothing new
            except (NotFoundError, APIError):
                await self._make_again()
            except (nats.errors.Error, OSError) as error:
                self._log.warning("pull-failed", domain=self.domain, error=repr(error))
                await asyncio.sleep(RETRY_SECONDS)

    async def _make_again(self) -> None:
        """The stream or the consumer is gone (a lost store): make it anew."""
        try:
            async with self._making:
                await self._ensure()
                await self._make(streams.FIRST)
        except FAILURES as error:
            self._log.warning("consumer-missing", domain=self.domain, error=repr(error))
        await asyncio.sleep(RETRY_SECONDS)

    async def _queue(self, message: Msg) -> None:
        """Run the event after the one of its entity that came before it."""
        try:
            event = msgspec.json.decode(message.data, type=CloudEvent)
        except msgspec.MsgspecError as error:
            await self._park(message, "unreadable", repr(error))
            self._room.release()
            return
        before = self._last.get(event.subject)
        task = asyncio.create_task(self._handle(message, event, before))
        self._last[event.subject] = task
        task.add_done_callback(lambda done: self._finished(event.subject, done))

    def _finished(self, subject: str, task: asyncio.Task[None]) -> None:
        self._room.release()
        if self._last.get(subject) is task:
            del self._last[subject]

    async def _handle(
        self, message: Msg, event: CloudEvent, before: asyncio.Task[None] | None
    ) -> None:
        while before is not None and not before.done():
            await asyncio.wait({before}, timeout=HOLD_SECONDS)
            await self._say(message.in_progress)
        if not self._dead.holds(self.domain, event.subject):
            context = Context(traceparent=event.traceparent)
            with traces.within(context, f"process {event.type}", "consumer") as span:
                span.note(souk_consumer=self.domain, messaging_system="nats")
                why = await self._deliver(message, event)
            if why is None:
                self.delivered_total += 1
                stored_at = message.metadata.timestamp.timestamp()
                self._lag_seconds.observe(max(0.0, time.time() - stored_at))
                await self._say(message.ack)
                return
        else:
            why = "an earlier event of this entity is parked"
        await self._park(message, event.subject, why)

    async def _park(self, message: Msg, entity: str, why: str) -> None:
        """Put an event aside; its later ones wait until it is there."""
        while True:
            try:
                await self._dead.park(self.domain, entity, message, why)
            except FAILURES as error:
                self._log.warning("parking-waits", entity=entity, error=repr(error))
                await asyncio.sleep(RETRY_SECONDS)
            else:
                await self._say(message.ack)
                return

    async def _say(self, word: Callable[[], Awaitable[None]]) -> None:
        """Tell JetStream of a message; untold, it is delivered again and acts once."""
        try:
            await word()
        except FAILURES as error:
            self._log.warning("untold", domain=self.domain, error=repr(error))

    async def _deliver(self, message: Msg, event: CloudEvent) -> str | None:
        """None when the domain has handled it, else why it never will."""
        tries = failures = 0
        while True:
            try:
                await ask_to_handle(self._ask, self.domain, event)
            except (Unavailable, Unknown) as end:
                problem: Exception = end  # not its fault: tried for as long as it takes
            except (Refusal, Failed, msgspec.MsgspecError, KeyError) as end:
                problem = end
                failures += 1
                if failures >= TRIES_MAX:
                    return repr(end)
            else:
                return None
            tries += 1
            self._retries.value += 1
            self._log.warning("event-waits", type=event.type, error=repr(problem))
            await self._say(message.in_progress)
            delay = BACKOFF_SECONDS * 2 ** min(tries, 8)
            await asyncio.sleep(min(delay, BACKOFF_SECONDS_MAX))
