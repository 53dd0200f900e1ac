"""NATS and JetStream as the bridge holds them, over a way that loses words."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import msgspec
import nats
from nats.js.errors import NoStreamResponseError, NotFoundError

from tests.simulation.bus import Broker, Pulling, Stored, Stream

CALL_SECONDS_MAX = 5.0


class Client:
    """A connection to the broker: what the kit uses of `nats.aio.client.Client`."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self._loop = broker.loop
        self._callbacks: dict[str, Callable[[Any], Any]] = {}
        self._batches: dict[str, int] = {}
        self._cut: set[str] = set()
        self._arrives_at = 0.0
        self._inboxes = 0

    @property
    def is_connected(self) -> bool:
        """Whether the server can be reached."""
        return self.broker.up

    def jetstream(self, timeout: float) -> "JetStream":
        """Its streams."""
        return JetStream(self, timeout)

    def new_inbox(self) -> str:
        """A subject of its own."""
        self._inboxes += 1
        return f"inbox-{self._inboxes}"

    async def subscribe(self, subject: str, cb: Any) -> None:
        """Hear what is said below a subject that ends in `.>`."""
        self._callbacks[subject.removesuffix(".>")] = cb

    async def close(self) -> None:
        """Hang up."""
        self._callbacks.clear()

    async def publish(
        self, subject: str, data: bytes, reply: str, headers: dict[str, str]
    ) -> None:
        """Send one message of a batch; it is answered under `reply`."""
        inbox, batch, _, _, place, task, _ = reply.split(".")
        faults = self.broker.faults
        if faults.chance.random() < faults.request_lost / 4:
            self._cut.add(batch)  # the connection broke here: the rest is lost with it
        if batch in self._cut:
            return
        now = self._loop.time()
        self._arrives_at = max(self._arrives_at + 1e-9, now + faults.delay())
        self._loop.world.later(
            self._arrives_at - now,
            self._take,
            (inbox, batch, int(place), task == "2"),
            subject,
            data,
            headers,
        )

    def _take(self, of: Any, subject: str, data: bytes, headers: Any) -> None:
        inbox, batch, place, last = of
        if not self.broker.up or self._batches.get(batch, 0) != place - 1:
            return
        stored = self.broker.store(subject, data, headers)
        if stored is None:
            self._answer(inbox, batch, b"", {"Status": "503"})
            return
        self._batches[batch] = place
        if last:
            ack = msgspec.json.encode({"seq": stored, "count": place})
            self._answer(inbox, batch, ack, {})

    def _answer(self, inbox: str, batch: str, data: bytes, headers: Any) -> None:
        faults = self.broker.faults
        if faults.chance.random() < faults.answer_lost:
            return
        message = SimpleNamespace(
            subject=f"{inbox}.{batch}", data=data, headers=headers
        )
        callback = self._callbacks.get(inbox)
        if callback is not None:
            self._loop.world.later(
                faults.delay(), lambda: self._loop.world.spawn(callback(message))
            )


class JetStream:
    """What the kit uses of `nats.js.JetStreamContext`."""

    def __init__(self, client: Client, timeout: float) -> None:
        self._broker = client.broker
        self._timeout = timeout

    async def publish(
        self,
        subject: str,
        data: bytes,
        headers: dict[str, str],
        timeout: float | None = None,  # noqa: ASYNC109 - their name
    ) -> Any:
        """Store a message."""
        faults = self._broker.faults
        if faults.chance.random() < faults.late:  # it is stored after all, much later
            self._broker.loop.world.later(
                faults.chance.random() * 20, self._store_late, subject, data, headers
            )
            await self._call(None, timeout, lost=True)
        sequence = await self._call(
            lambda: self._broker.store(subject, data, headers), timeout
        )
        if sequence is None:
            raise NoStreamResponseError
        return SimpleNamespace(seq=sequence)

    def _store_late(self, *message: Any) -> None:
        if self._broker.up:
            self._broker.store(*message)

    async def stream_info(self, name: str, subjects_filter: str | None = None) -> Any:
        """How a stream is."""

        def look() -> Any:
            stream = self._broker.stream(name)
            subjects = None
            if subjects_filter is not None:
                start = subjects_filter.removesuffix(">")
                names = [one.subject for one in stream.messages]
                subjects = {one: 1 for one in names if one.startswith(start)}
            state = SimpleNamespace(last_seq=stream.last, subjects=subjects)
            return SimpleNamespace(
                created=stream.created, state=state, config=stream.config
            )

        return await self._call(look)

    async def add_stream(self, config: Any) -> Any:
        """Make a stream."""

        def make() -> None:
            self._broker.streams.setdefault(
                config.name, Stream(config, self._broker.now())
            )

        await self._call(make)
        return await self.stream_info(config.name)

    async def consumer_info(self, stream: str, durable: str) -> Any:
        """How a durable consumer was made."""

        def look() -> Any:
            consumer = self._broker.stream(stream).consumers.get(durable)
            if consumer is None:
                raise NotFoundError(code=404, description="consumer not found")
            return SimpleNamespace(config=consumer.config)

        return await self._call(look)

    async def add_consumer(self, stream: str, config: Any) -> None:
        """Make a durable consumer, or find it."""

        def make() -> None:
            consumers = self._broker.stream(stream).consumers
            consumers.setdefault(config.durable_name, Pulling(config))

        await self._call(make)

    async def pull_subscribe_bind(self, durable: str, stream: str) -> "Pull":
        """Pull for a durable consumer."""
        return Pull(self, self._broker, stream, durable)

    async def get_msg(
        self,
        stream: str,
        seq: int,
        subject: str,
        next: bool,  # noqa: A002 - their name
    ) -> Any:
        """The first message from a number on, under a subject."""

        def look() -> Any:
            for one in self._broker.stream(stream).messages:
                fits = one.subject == subject or (
                    subject.endswith(">") and one.subject.startswith(subject[:-1])
                )
                if one.sequence >= seq and fits and next:
                    return SimpleNamespace(
                        seq=one.sequence, subject=one.subject, data=one.data
                    )
            raise NotFoundError(code=404, description="no message found")

        return await self._call(look)

    async def delete_msg(self, stream: str, sequence: int) -> None:
        """Drop a message."""

        def drop() -> None:
            found = self._broker.stream(stream)
            found.messages = [m for m in found.messages if m.sequence != sequence]

        await self._call(drop)

    async def call(self, work: Callable[[], Any]) -> Any:
        """Ask the server something."""
        return await self._call(work)

    async def _call(
        self,
        work: Callable[[], Any] | None,
        timeout: float | None = None,  # noqa: ASYNC109 - their name
        *,
        lost: bool = False,
    ) -> Any:
        faults, chance = self._broker.faults, self._broker.faults.chance
        await asyncio.sleep(faults.delay())
        lost = lost or not self._broker.up or chance.random() < faults.request_lost
        answer = None
        if not lost and work is not None:
            answer = work()
            lost = chance.random() < faults.answer_lost
        if lost:
            await asyncio.sleep(min(timeout or self._timeout, CALL_SECONDS_MAX))
            raise nats.errors.TimeoutError
        await asyncio.sleep(faults.delay())
        return answer


class Pull:
    """What the kit uses of a pull subscription."""

    def __init__(
        self, js: JetStream, broker: Broker, stream: str, durable: str
    ) -> None:
        self._js = js
        self._broker = broker
        self._stream = stream
        self._durable = durable

    async def fetch(
        self,
        count: int,
        timeout: float,  # noqa: ASYNC109 - their name
    ) -> list["Message"]:
        """Some messages; raises TimeoutError when none come."""
        loop = self._broker.loop
        future: asyncio.Future[list[Stored]] = loop.create_future()

        def ask() -> None:
            stream = self._broker.stream(self._stream)
            consumer = stream.consumers.get(self._durable)
            if consumer is None:
                raise NotFoundError(code=404, description="consumer not found")
            consumer.waiting.append((count, future, loop.time() + timeout))
            self._broker.feed(stream, consumer)

        await self._js.call(ask)
        try:
            async with asyncio.timeout(timeout):
                batch = await future
        except TimeoutError:
            future.cancel()
            raise nats.errors.TimeoutError from None
        return [Message(self._js, self._broker, self, one) for one in batch]

    def consumer(self) -> tuple[Stream, Pulling]:
        """Where its acknowledgements go."""
        stream = self._broker.stream(self._stream)
        return stream, stream.consumers[self._durable]


class Message:
    """A delivered message."""

    def __init__(
        self, js: JetStream, broker: Broker, pull: Pull, stored: Stored
    ) -> None:
        self.data = stored.data
        self.subject = stored.subject
        self.headers = stored.headers
        self.metadata = SimpleNamespace(timestamp=stored.at)
        self._js = js
        self._broker = broker
        self._pull = pull
        self._created = (
            broker.streams.get("EVENTS") and broker.streams["EVENTS"].created
        )
        self._sequence = stored.sequence

    async def ack(self) -> None:
        """It is done."""
        self._say(done=True)

    async def in_progress(self) -> None:
        """It takes longer."""
        self._say(done=False)

    def _say(self, *, done: bool) -> None:
        """A word that nobody answers: it may be lost, and nobody knows."""
        faults = self._broker.faults
        if faults.chance.random() < faults.request_lost:
            return
        self._broker.loop.world.later(faults.delay(), self._heard, done)

    def _heard(self, done: bool) -> None:
        stream = self._broker.streams.get("EVENTS")
        same = stream is not None and stream.created == self._created
        if stream is None or not same or not self._broker.up:
            return
        _, consumer = self._pull.consumer()
        self._broker.word(stream, consumer, self._sequence, done=done)
