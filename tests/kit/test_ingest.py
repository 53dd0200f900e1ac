"""A batch counts as stored only when the server says so of all of it."""

import asyncio
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import msgspec
import nats
import pytest
from nats.js.api import StreamConfig
from nats.js.errors import APIError, NoStreamResponseError

from bus.kit.ingest import Ingest


class Server:
    """Answers the last message of a batch with what a test says."""

    def __init__(self, said: dict[str, Any]) -> None:
        self._said = said

    def new_inbox(self) -> str:
        return "_INBOX.one"

    async def subscribe(self, subject: str, cb: Any) -> None:
        self._hear = cb

    async def publish(self, subject, payload, reply, headers) -> None:
        if reply.endswith(".2.$FI"):
            data = msgspec.json.encode(self._said)
            await self._hear(SimpleNamespace(subject=reply, data=data, headers=None))


def rows(count: int) -> list[Any]:
    return [
        SimpleNamespace(id=uuid4(), subject="batches.said", payload="{}")
        for _ in range(count)
    ]


@pytest.mark.parametrize(
    "said", [{"seq": 2, "count": 2}, {"seq": 3, "count": 3, "error": {"code": 500}}]
)
async def test_a_batch_that_is_stored_in_part_is_not_stored(said) -> None:
    """Guards ingest.py: `if ack.error is not None or ack.count != last`."""
    ingest = Ingest(Server(said), seconds_max=1.0)  # type: ignore[arg-type]
    await ingest.start()
    with pytest.raises(APIError):
        await ingest.send(rows(3))


async def test_what_is_sent_again_is_stored_once_and_counts(nats_server) -> None:
    """A real server takes a batch, the same again, and one with some of it."""
    client = await nats.connect(nats_server.url())
    js = client.jetstream()
    config = StreamConfig(name="BATCHES", subjects=["batches.>"], allow_batched=True)
    await js.add_stream(config)
    ingest = Ingest(client, seconds_max=5.0)
    await ingest.start()
    first, more = rows(3), rows(2)
    assert await ingest.send(first) == 3
    await ingest.send(first)
    assert await ingest.send([more[0], first[1], more[1]]) == 5
    assert (await js.stream_info("BATCHES")).state.messages == 5
    await js.delete_stream("BATCHES")
    with pytest.raises(NoStreamResponseError):
        async with asyncio.timeout(3):
            await ingest.send(more)
    await client.close()
