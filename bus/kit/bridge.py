"""The bridge: outbox rows out to JetStream, events in to their consumers."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import msgspec
import nats
from nats.js.errors import APIError, NoStreamResponseError

from bus.kit import families, streams, traces
from bus.kit.alerts import Alerts, MakeAlert
from bus.kit.cloud_events import CloudEvent
from bus.kit.consumer import Consumer
from bus.kit.dead_letters import DeadLetters
from bus.kit.ingest import BATCH_MAX, Ingest
from bus.kit.messages import Event
from bus.kit.metrics import Meters
from bus.kit.services import Services

PUBLISH_SECONDS_MAX = 5.0
LOOK_SECONDS = 5.0
FAILURES = (nats.errors.Error, APIError, OSError, TimeoutError)

Ask = Callable[..., Awaitable[Any]]
Connect = Callable[[str, str, Any], Awaitable[Any]]


class Row(Protocol):
    """An outbox row as the relay hands it over."""

    slot: int
    n: int
    id: Any
    subject: str
    payload: str


class Bridge:
    """One connection to NATS for many shards.

    `consumers` names, for each consuming domain that this bridge pulls for, the event
    types that it handles; `services` the NATS subjects that it answers; `alert` makes
    what is asked when an event was put aside; `connect` reaches NATS. Publishing and
    delivering share nothing but the connection: no handler waits for a publish.
    """

    def __init__(
        self,
        url: str,
        ask: Ask,
        *,
        name: str,
        consumers: dict[str, list[type[Event]]],
        services: dict[str, Any],
        log: Any,
        replicas: int = 1,
        alert: MakeAlert | None = None,
        connect: Connect = streams.connect,
    ) -> None:
        self._connect = connect
        self._url = url
        self._ask = ask
        self._name = name
        self._wanted = consumers
        self._services = services
        self._log = log
        self._replicas = replicas
        self._created = ""
        self._sequence = 0
        self._look_at = 0.0
        self._told: set[tuple[str, int]] = set()
        self._under_way = 0
        self._still, self._whole = asyncio.Event(), asyncio.Event()
        self._still.set()
        self._whole.set()
        self._nats: Any = None
        self._js: Any = None
        self._ingest: Any = None
        self._dead: DeadLetters | None = None
        self.consumers: list[Consumer] = []
        self.published_total = 0
        self.meters = Meters(bridge=name.rpartition("/")[2])
        self._publish_seconds = self.meters.histogram(families.BRIDGE_PUBLISH_SECONDS)
        self.meters.gauge(families.BRIDGE_CONNECTED, lambda: self.connected)
        self.meters.gauge(families.BRIDGE_PUBLISHED, lambda: self.published_total)
        self._served: Services | None = None
        self._alert = alert
        self._alerts: Alerts | None = None

    async def start(self) -> None:
        """Connect, make what is missing, begin to pull and to serve.

        Waits for as long as NATS does not answer: nobody starts a bridge again that
        runs and has given up.
        """
        self._nats = await self._connect(self._url, self._name, self._log)
        self._js = self._nats.jetstream(timeout=PUBLISH_SECONDS_MAX)
        self._ingest = Ingest(self._nats, seconds_max=PUBLISH_SECONDS_MAX)
        await self._ingest.start()
        dead = DeadLetters(self._js, self._ask, log=self._log, meters=self.meters)
        self._dead = dead
        while True:
            try:
                await self._look_at_stream()
                await self._pull(dead)
                break
            except FAILURES as error:
                self._log.warning("bridge-waits", error=repr(error))
                await asyncio.sleep(streams.RETRY_SECONDS)
        if self._services:
            self._served = Services(
                self._nats, self._ask, log=self._log, meters=self.meters
            )
            await self._served.start(self._services)

    async def _pull(self, dead: DeadLetters) -> None:
        """Begin to pull what is not pulled yet; raises what NATS does not answer."""
        for domain, kinds in self._wanted.items():
            if any(one.domain == domain for one in self.consumers):
                continue
            consumer = Consumer(
                self._js,
                domain,
                kinds,
                self._ask,
                dead,
                ensure=self._look_at_stream,
                log=self._log,
                meters=self.meters,
            )
            await consumer.start()
            self.consumers.append(consumer)
        if self._alert is not None and self._alerts is None:
            alerts = Alerts(
                self._js,
                self._alert,
                self._ask,
                ensure=self._look_at_stream,
                log=self._log,
            )
            await alerts.start()
            self._alerts = alerts

    async def stop(self) -> None:
        """End pulling and serving, and close the connection."""
        for consumer in self.consumers:
            await consumer.stop()
        if self._alerts is not None:
            await self._alerts.stop()
        if self._served is not None and self.connected:
            await self._served.stop()
        if self._nats is not None:
            await self._nats.close()

    @property
    def connected(self) -> bool:
        """Whether NATS can be reached right now."""
        return self._nats is not None and self._nats.is_connected

    async def publish(
        self, rows: Sequence[Row]
    ) -> tuple[dict[int, int], str, int, str]:
        """Publish rows, each slot's in order.

        Returns the last number published of each slot, the stream's creation time and
        last number, and why the first slot stopped ("" when none did). What does not
        go as one batch goes row by row, slots side by side; after the first failure of
        a slot nothing later of it is sent.

        Nothing of a slot is sent before its shard has been told which stream there is:
        it may have rows that must go before these into one that is younger. Who brings
        no rows wants to know what stream there is now.
        """
        if not self.connected:
            return {}, "", 0, "NATS cannot be reached"
        if not rows or not self._created or time.monotonic() > self._look_at:
            try:
                await self._look_at_stream()
            except FAILURES as error:
                return {}, "", 0, repr(error)
        await self._whole.wait()
        new = {_slot(row) for row in rows} - self._told
        if new:
            self._told |= new
            rows = [row for row in rows if _slot(row) not in new]
            if not rows:
                return {}, self._created, self._sequence, ""
        spans = _spans(rows)
        began_at = time.perf_counter()
        self._under_way += 1
        self._still.clear()
        try:
            return await self._publish_rows(rows)
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._still.set()
            if rows:
                self._publish_seconds.observe(time.perf_counter() - began_at)
            for span in spans:
                span.end()

    async def _publish_rows(
        self, rows: Sequence[Row]
    ) -> tuple[dict[int, int], str, int, str]:
        if 1 < len(rows) <= BATCH_MAX and await self._publish_batch(rows):
            return {row.slot: row.n for row in rows}, self._created, self._sequence, ""
        by_slot: dict[int, list[Row]] = defaultdict(list)
        for row in rows:
            by_slot[row.slot].append(row)
        ends = await asyncio.gather(
            *(self._publish_slot(some) for some in by_slot.values())
        )
        upto = {slot: n for slot, n, _ in ends if n is not None}
        failed = next((why for _, _, why in ends if why), "")
        return upto, self._created, self._sequence, failed

    async def _publish_batch(self, rows: Sequence[Row]) -> bool:
        """Whether all rows are stored; if not, some may be."""
        try:
            last = await self._ingest.send(rows)
        except FAILURES as error:
            self._log.warning("batch-not-published", error=repr(error))
            return False
        self._sequence = max(self._sequence, last)
        self.published_total += len(rows)
        return True

    async def _publish_slot(self, rows: list[Row]) -> tuple[int, int | None, str]:
        done: int | None = None
        for row in rows:
            try:
                ack = await self._js.publish(
                    row.subject,
                    row.payload.encode(),
                    headers={"Nats-Msg-Id": str(row.id)},
                    timeout=PUBLISH_SECONDS_MAX,
                )
            except FAILURES as error:
                if isinstance(error, NoStreamResponseError):
                    self._created = ""
                self._log.warning("publish-failed", slot=row.slot, error=repr(error))
                return row.slot, done, repr(error)
            done = row.n
            self._sequence = max(self._sequence, ack.seq)
            self.published_total += 1
        return rows[0].slot, done, ""

    async def replay_dead(self, domain: str, subject: str | None = None) -> int:
        """Deliver dead letters once more; returns how many went through."""
        if self._dead is None:
            return 0
        return await self._dead.replay(domain, subject)

    async def replay(self, domain: str, begin: streams.Position) -> int | None:
        """Deliver a domain's events again from a position on; how many.

        None where the domain handles no events, or another bridge pulls for it.
        """
        for consumer in self.consumers:
            if consumer.domain == domain:
                return await consumer.replay(begin)
        return None

    async def _look_at_stream(self) -> None:
        """Make the streams where they are missing, and see whether they are new.

        A last number that is lower than one acknowledged before tells of a stream that
        has lost its end; one that is only older than what is acknowledged by now not.
        """
        self._look_at = time.monotonic() + LOOK_SECONDS
        if await streams.has_events(self._js):
            await self._compare()
            return
        self._whole.clear()
        try:
            # Rows under way follow others that went with the old stream: none of them
            # may come first into the new one. Each has its deadline.
            await self._still.wait()
            await self._compare()
        finally:
            self._whole.set()

    async def _compare(self) -> None:
        before = (self._created, self._sequence)
        info = await streams.ensure_streams(self._js, self._replicas)
        created, last = str(info.created), info.state.last_seq
        lost = created != before[0] or last < before[1]
        if lost:
            self._told.clear()
        self._sequence = last if lost else max(last, self._sequence)
        self._created = created


def _slot(row: Row) -> tuple[str, int]:
    """Whose slot a row is of: its domain's, by its subject."""
    return row.subject.split(".", 2)[1], row.slot


def _spans(rows: Sequence[Row]) -> list[traces.Span]:
    """A span for each event whose trace somebody collects."""
    if not traces.are_on():
        return []
    events = [msgspec.json.decode(row.payload, type=CloudEvent) for row in rows]
    return [
        traces.begin(
            f"publish {event.type}",
            "producer",
            event.traceparent,
            messaging_system="nats",
            messaging_message_id=str(event.id),
        )
        for event in events
        if traces.is_sampled(event.traceparent)
    ]
