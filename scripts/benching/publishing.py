"""What JetStream takes from one client that does nothing else: the relay's yardstick.

`python -m scripts.benching.publishing URL` reads `[[id, payload], …]` from its input
and writes a `Raw` to its output. It is a process of its own, on a bridge's loop.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

import msgspec
import nats
import uvloop
from nats.js import JetStreamContext
from nats.js.api import StorageType, StreamConfig

from bus.kit.ingest import BATCH_MAX, Ingest
from bus.kit.streams import DUPLICATE_SECONDS
from scripts.launcher.failures import Failure

STREAM, SUBJECT = "BENCH", "bench.events"
UNDER_WAY_MAX = 1_000
PUBLISH_SECONDS_MAX = 60.0
RAW_SECONDS_MAX = 180.0


class Message(msgspec.Struct, array_like=True):
    """A message as the outbox keeps it."""

    id: str
    payload: str
    subject: str = SUBJECT


class Raw(msgspec.Struct, frozen=True, kw_only=True):
    """Messages a second: an acknowledgement each, and one for a whole batch."""

    pipelined_per_second: float
    batched_per_second: float


async def publish_raw(url: str, messages: Sequence[tuple[str, str]]) -> Raw:
    """Publish them twice into a stream like that of the events, which is dropped."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scripts.benching.publishing", url),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(RAW_SECONDS_MAX):
            said, why = await process.communicate(msgspec.json.encode(messages))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise Failure(f"nothing was published: {why.decode(errors='replace')[-500:]}")
    return msgspec.json.decode(said, type=Raw)


async def _measure(url: str, messages: list[Message]) -> Raw:
    client = await nats.connect(url, name="bench")
    js = client.jetstream(
        timeout=PUBLISH_SECONDS_MAX, publish_async_max_pending=UNDER_WAY_MAX
    )
    try:
        await _empty(js)
        pipelined = await _pipelined(js, messages)
        await _empty(js)
        ingest = Ingest(client, seconds_max=PUBLISH_SECONDS_MAX)
        await ingest.start()
        batched = await _batched(ingest, messages)
    finally:
        await js.delete_stream(STREAM)
        await client.close()
    return Raw(pipelined_per_second=pipelined, batched_per_second=batched)


async def _pipelined(js: JetStreamContext, messages: list[Message]) -> float:
    begun = time.perf_counter()
    for message in messages:
        await js.publish_async(
            message.subject,
            message.payload.encode(),
            wait_stall=PUBLISH_SECONDS_MAX,
            headers={"Nats-Msg-Id": message.id},
        )
    async with asyncio.timeout(PUBLISH_SECONDS_MAX):
        await js.publish_async_completed()
    return await _rate(js, messages, time.perf_counter() - begun)


async def _batched(ingest: Ingest, messages: list[Message]) -> float:
    begun = time.perf_counter()
    for first in range(0, len(messages), BATCH_MAX):
        await ingest.send(messages[first : first + BATCH_MAX])
    return len(messages) / (time.perf_counter() - begun)


async def _rate(js: JetStreamContext, messages: list[Message], seconds: float) -> float:
    """A rate counts when all are there."""
    stored = (await js.stream_info(STREAM)).state.messages
    if stored != len(messages):
        raise Failure(f"{stored} of {len(messages)} messages were stored")
    return stored / seconds


async def _empty(js: JetStreamContext) -> None:
    """An empty stream with the settings of the events' own."""
    config = StreamConfig(
        name=STREAM,
        subjects=[SUBJECT],
        storage=StorageType.FILE,
        duplicate_window=DUPLICATE_SECONDS,
        allow_batched=True,
    )
    with suppress(nats.js.errors.NotFoundError):
        await js.delete_stream(STREAM)
    await js.add_stream(config)


def main(url: str) -> None:
    """Measure what is on the input."""
    messages = msgspec.json.decode(sys.stdin.buffer.read(), type=list[Message])
    raw = uvloop.run(_measure(url, messages))
    sys.stdout.buffer.write(msgspec.json.encode(raw))


if __name__ == "__main__":
    main(sys.argv[1])
