"""How long an event takes from its transaction into the stream."""

from datetime import datetime
from typing import Any

import msgspec
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from actors.auditing.books import Document
from bus.kit.streams import EVENTS
from scripts.auditing.streaming import FETCH_MAX, FETCH_SECONDS_MAX, IDLE_SECONDS_MAX

EVENTS_MAX = 20_000

_DOCUMENT = msgspec.json.Decoder(Document)


async def read_lags(nats: Any, after: int, until: int) -> list[float]:
    """In ms, of the events past number `after`: the first EVENTS_MAX of them.

    From the time that the event's shard gave it to the time at which the stream had
    it: the rest of its transaction, the commit and the relay lie between.
    """
    left = min(until - after, EVENTS_MAX)
    if left <= 0:
        return []
    config = ConsumerConfig(
        ack_policy=AckPolicy.NONE,
        deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
        opt_start_seq=after + 1,
        inactive_threshold=IDLE_SECONDS_MAX,
    )
    js = nats.jetstream(timeout=FETCH_SECONDS_MAX)
    pull = await js.pull_subscribe("events.>", stream=EVENTS, config=config)
    lags: list[float] = []
    try:
        while left > 0:
            try:
                some = await pull.fetch(min(left, FETCH_MAX), FETCH_SECONDS_MAX)
            except NatsTimeoutError:  # the stream holds fewer than its numbers say
                break
            left -= len(some)
            lags += [_lag_ms(message) for message in some]
    finally:
        await pull.unsubscribe()
    return lags


def _lag_ms(message: Any) -> float:
    told = _DOCUMENT.decode(message.data).time
    stored: datetime = message.metadata.timestamp
    return (stored - told).total_seconds() * 1000
