"""The stream as an audit reads it: all events, dead letters, what consumers owe."""

from typing import Any

import msgspec
import nats
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from actors.auditing.books import Document, Stream, Streamed
from bus.kit.streams import DEAD, EVENTS

CONNECT_SECONDS_MAX = 5.0
FETCH_MAX = 1_000
FETCH_SECONDS_MAX = 10.0
DEAD_MAX = 1_000
IDLE_SECONDS_MAX = 60.0

_DOCUMENT = msgspec.json.Decoder(Document)


async def connect(url: str) -> Any:
    """A connection that gives up when NATS is away."""
    return await nats.connect(
        url,
        name="audit",
        connect_timeout=int(CONNECT_SECONDS_MAX),
        allow_reconnect=False,
        error_cb=_ignore,
    )


async def read_stream(connection: Any) -> Stream:
    """Everything that is in the stream now; an absent stream is an empty one."""
    js = connection.jetstream(timeout=FETCH_SECONDS_MAX)
    try:
        info = await js.stream_info(EVENTS)
    except NotFoundError:
        return Stream()
    events = await _events(js, info.state.messages)
    return Stream(
        first_place=info.state.first_seq or 1, events=events, dead=await _dead(js)
    )


async def owed(connection: Any) -> dict[str, int]:
    """How many events each durable consumer has not acknowledged yet."""
    js = connection.jetstream(timeout=FETCH_SECONDS_MAX)
    try:
        consumers = await js.consumers_info(EVENTS)
    except NotFoundError:
        return {}
    return {
        one.name: (one.num_pending or 0) + (one.num_ack_pending or 0)
        for one in consumers
        if one.config and one.config.durable_name
    }


async def _events(js: Any, left: int) -> list[Streamed]:
    config = ConsumerConfig(
        ack_policy=AckPolicy.NONE,
        deliver_policy=DeliverPolicy.ALL,
        inactive_threshold=IDLE_SECONDS_MAX,
    )
    pull = await js.pull_subscribe("events.>", stream=EVENTS, config=config)
    events: list[Streamed] = []
    try:
        while left > 0:
            # More than there are would be waited for.
            count = min(left, FETCH_MAX)
            for message in await pull.fetch(count, timeout=FETCH_SECONDS_MAX):
                events.append(_event(message))
                left = message.metadata.num_pending
    finally:
        await pull.unsubscribe()
    return events


def _event(message: Any) -> Streamed:
    headers = message.headers or {}
    return Streamed(
        place=message.metadata.sequence.stream,
        id=headers.get("Nats-Msg-Id", ""),
        subject=message.subject,
        payload=message.data.decode(),
        document=_DOCUMENT.decode(message.data),
    )


async def _dead(js: Any) -> list[tuple[str, str]]:
    """Subject and reason of the dead letters, the first DEAD_MAX of them."""
    found: list[tuple[str, str]] = []
    place = 1
    while len(found) < DEAD_MAX:
        try:
            letter = await js.get_msg(DEAD, seq=place, subject="dead.>", next=True)
        except NotFoundError:
            break
        reason = (letter.headers or {}).get("Souk-Reason", "no reason given")
        found.append((letter.subject, reason))
        place = letter.seq + 1
    return found


async def _ignore(_: Exception) -> None:
    """What fails is raised where it is awaited."""
