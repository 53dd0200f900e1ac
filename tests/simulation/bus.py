"""The NATS server: streams and durable consumers, and all that it may do wrong."""

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from nats.js.errors import NotFoundError

from tests.simulation.loop import EPOCH_SECONDS, SimLoop


@dataclass
class Faulty:
    """How often which word is lost between a client and the server."""

    chance: random.Random
    request_lost: float = 0.0
    answer_lost: float = 0.0
    doubled: float = 0.0
    late: float = 0.0
    seconds_max: float = 0.003

    def delay(self) -> float:
        """How long one way takes."""
        return self.chance.random() * self.seconds_max


@dataclass
class Stored:
    """A message of a stream."""

    sequence: int
    subject: str
    data: bytes
    headers: dict[str, str]
    at: datetime


@dataclass
class Stream:
    """A stream: what it holds, and which ids it has seen of late."""

    config: Any
    created: datetime
    messages: list[Stored] = field(default_factory=list)
    last: int = 0
    seen: dict[str, tuple[int, float]] = field(default_factory=dict)
    consumers: "dict[str, Pulling]" = field(default_factory=dict)


class Pulling:
    """A durable consumer: where it is, and what it waits for a word about."""

    def __init__(self, config: Any) -> None:
        self.config = config
        self.next = 1
        self.unacknowledged: dict[int, float] = {}
        self.again: deque[int] = deque()
        self.waiting: list[tuple[int, asyncio.Future[Any], float]] = []

    def takes(self, subject: str) -> bool:
        """Whether it is for this consumer."""
        return any(
            subject == one or (one.endswith(">") and subject.startswith(one[:-1]))
            for one in self.config.filter_subjects
        )


class Broker:
    """The server; all that it stores survives, but for `lose`."""

    def __init__(self, loop: SimLoop, faults: Faulty) -> None:
        self.loop = loop
        self.faults = faults
        self.streams: dict[str, Stream] = {}
        self.up = True
        self.stored: Callable[[Stored], None] = lambda _: None
        self.lost_streams = 0

    def now(self) -> datetime:
        """The server's time."""
        return datetime.fromtimestamp(EPOCH_SECONDS + self.loop.time(), UTC)

    def lose(self) -> None:
        """The folder of the streams is gone: what is asked for next is made anew."""
        self.streams.clear()
        self.lost_streams += 1

    def rise(self) -> None:
        """Be there again, and give what is waited for."""
        self.up = True
        for stream in self.streams.values():
            for consumer in stream.consumers.values():
                self.feed(stream, consumer)

    def stream(self, name: str) -> Stream:
        """A stream; raises NotFoundError."""
        if name not in self.streams:
            raise NotFoundError(code=404, description="stream not found")
        return self.streams[name]

    def store(self, subject: str, data: bytes, headers: dict[str, str]) -> int | None:
        """Keep a message, once by its id; its number, None where nobody takes it."""
        name = {"events": "EVENTS", "dead": "DEAD"}[subject.split(".", 1)[0]]
        stream = self.streams.get(name)
        if stream is None:
            return None
        window = stream.config.duplicate_window or 0
        identity, now = headers.get("Nats-Msg-Id"), self.loop.time()
        if identity is not None:
            known = stream.seen.get(identity)
            if known is not None and now - known[1] < window:
                return known[0]
        stream.last += 1
        message = Stored(stream.last, subject, data, headers, self.now())
        stream.messages.append(message)
        if identity is not None:
            stream.seen[identity] = (stream.last, now)
        if name == "EVENTS":
            self.stored(message)
        for consumer in stream.consumers.values():
            self.feed(stream, consumer)
        return stream.last

    def feed(self, stream: Stream, consumer: Pulling) -> None:
        """Give those who wait what there is for them, who died for a while."""
        if not self.up:
            return
        while consumer.waiting:
            count, future, until = consumer.waiting[0]
            over = future.done() or until <= self.loop.time()
            batch = [] if over else self._batch(stream, consumer, count)
            if not batch and not over:
                return
            consumer.waiting.pop(0)
            if batch:
                self.loop.world.later(self.faults.delay(), _give, future, batch)

    def _batch(self, stream: Stream, consumer: Pulling, count: int) -> list[Stored]:
        batch: list[Stored] = []
        room = consumer.config.max_ack_pending - len(consumer.unacknowledged)
        by_sequence = {one.sequence: one for one in stream.messages}
        while consumer.again and len(batch) < count:
            sequence = consumer.again.popleft()
            if sequence in consumer.unacknowledged and sequence in by_sequence:
                batch.append(by_sequence[sequence])
        while consumer.next <= stream.last and len(batch) < min(count, room):
            message = by_sequence.get(consumer.next)
            consumer.next += 1
            if message is not None and consumer.takes(message.subject):
                batch.append(message)
                if self.faults.chance.random() < self.faults.doubled:
                    consumer.again.append(message.sequence)
        for message in batch:
            self._expect_word(stream, consumer, message.sequence)
        return batch

    def _expect_word(self, stream: Stream, consumer: Pulling, sequence: int) -> None:
        """Without a word of the message it is delivered again."""
        until = self.loop.time() + consumer.config.ack_wait
        consumer.unacknowledged[sequence] = until

        def look() -> None:
            if consumer.unacknowledged.get(sequence) == until:
                consumer.again.append(sequence)
                self.feed(stream, consumer)

        self.loop.world.later(consumer.config.ack_wait, look)

    def word(
        self, stream: Stream, consumer: Pulling, sequence: int, *, done: bool
    ) -> None:
        """A message is acknowledged, or is still being worked on."""
        if sequence not in consumer.unacknowledged:
            return
        if done:
            del consumer.unacknowledged[sequence]
        else:
            self._expect_word(stream, consumer, sequence)


def _give(future: "asyncio.Future[Any]", batch: list[Stored]) -> None:
    if not future.done():
        future.set_result(batch)
