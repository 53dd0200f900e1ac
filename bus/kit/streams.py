"""NATS and its streams: connecting, and what JetStream must hold."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import nats
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
    StreamInfo,
)
from nats.js.errors import NotFoundError

EVENTS = "EVENTS"
DEAD = "DEAD"
DAY_SECONDS = 24 * 3600
STREAM_SECONDS_MAX = 7 * DAY_SECONDS
DUPLICATE_SECONDS = 120
DEAD_LETTERS_MAX = 100_000
"""Past it no more is parked: the events wait in their stream, and their consumers."""
ACK_SECONDS = 60
CONNECT_SECONDS_MAX = 2
RETRY_SECONDS = 0.3
FORGET_SECONDS_MAX = 30.0


@dataclass(frozen=True)
class Position:
    """Where a consumer begins: at the first event, at a number, or at a time."""

    sequence: int | None = None
    since: datetime | None = None

    def options(self) -> dict[str, Any]:
        """The same in the words of a consumer's configuration."""
        if self.sequence is not None:
            policy = DeliverPolicy.BY_START_SEQUENCE
            return {"deliver_policy": policy, "opt_start_seq": self.sequence}
        if self.since is not None:
            policy = DeliverPolicy.BY_START_TIME
            return {"deliver_policy": policy, "opt_start_time": self.since}
        return {"deliver_policy": DeliverPolicy.ALL}


FIRST = Position()
_PLACE = ("deliver_policy", "opt_start_seq", "opt_start_time")


async def connect(url: str, name: str, log: Any) -> Client:
    """A connection that comes back by itself for ever; waits until there is one."""

    async def note(error: Exception) -> None:
        log.warning("nats-error", error=repr(error))

    async def lost() -> None:
        log.warning("nats-disconnected")

    while True:
        try:
            return await nats.connect(
                url,
                name=name,
                connect_timeout=CONNECT_SECONDS_MAX,
                max_reconnect_attempts=-1,
                reconnect_time_wait=RETRY_SECONDS,
                allow_reconnect=True,
                error_cb=note,
                disconnected_cb=lost,
            )
        except (OSError, nats.errors.Error, TimeoutError) as error:
            log.warning("nats-unreachable", error=repr(error))
            await asyncio.sleep(RETRY_SECONDS)


async def ensure_streams(js: JetStreamContext, replicas: int) -> StreamInfo:
    """Make the streams where they are missing; returns that of the events."""
    await _ensure(
        js,
        StreamConfig(
            name=DEAD,
            subjects=["dead.>"],
            storage=StorageType.FILE,
            retention=RetentionPolicy.LIMITS,
            max_msgs=DEAD_LETTERS_MAX,
            discard=DiscardPolicy.NEW,
            num_replicas=replicas,
        ),
    )
    return await _ensure(
        js,
        StreamConfig(
            name=EVENTS,
            subjects=["events.>"],
            storage=StorageType.FILE,
            retention=RetentionPolicy.LIMITS,
            max_age=STREAM_SECONDS_MAX,
            duplicate_window=DUPLICATE_SECONDS,
            allow_batched=True,
            num_replicas=replicas,
        ),
    )


async def has_events(js: JetStreamContext) -> bool:
    """Whether there is the stream of the events."""
    try:
        await js.stream_info(EVENTS)
    except NotFoundError:
        return False
    return True


async def ensure_consumer(
    js: JetStreamContext,
    name: str,
    subjects: list[str],
    under_way_max: int,
    stream: str = EVENTS,
    begin: Position = FIRST,
) -> JetStreamContext.PullSubscription:
    """A durable consumer, such as a domain's, filtered to what it handles.

    One that is there already keeps the place where it began: NATS refuses another.
    """
    try:
        known = (await js.consumer_info(stream, name)).config
        place = {name: getattr(known, name) for name in _PLACE}
    except NotFoundError:
        place = begin.options()
    await js.add_consumer(
        stream,
        ConsumerConfig(
            durable_name=name,
            filter_subjects=sorted(subjects),
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ACK_SECONDS,
            max_ack_pending=under_way_max,
            **place,
        ),
    )
    return await js.pull_subscribe_bind(name, stream)


async def forget(url: str, *names: str, log: Any) -> None:
    """Delete streams where they are there; the shop makes them anew.

    The events come again from the outboxes. Raises TimeoutError when NATS is away.
    """
    async with asyncio.timeout(FORGET_SECONDS_MAX):
        connection = await connect(url, "forget", log)
        try:
            for name in names:
                await _delete(connection.jetstream(), name)
        finally:
            await connection.close()


async def _delete(js: JetStreamContext, name: str) -> None:
    try:
        await js.delete_stream(name)
    except NotFoundError:
        return  # that is what was wanted


async def _ensure(js: JetStreamContext, config: StreamConfig) -> StreamInfo:
    try:
        info = await js.stream_info(config.name or "")
    except NotFoundError:
        return await js.add_stream(config)
    if config.allow_batched and not info.config.allow_batched:
        return await js.update_stream(info.config.evolve(allow_batched=True))
    if config.max_msgs and info.config.max_msgs != config.max_msgs:
        # One that an older version has made; what it holds by now stays.
        held = max(config.max_msgs, info.state.messages)
        if info.config.max_msgs != held:
            bounded = info.config.evolve(max_msgs=held, discard=config.discard)
            return await js.update_stream(bounded)
    return info
