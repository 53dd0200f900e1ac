"""Many messages to a stream with one acknowledgement: JetStream's fast ingest.

The protocol is ADR-50 of NATS: every message of a batch has a reply subject that
names the batch, its place in it and what is to be done; the server answers under
that subject, for the whole batch once. It stores in order, each message as it comes,
and ends the batch at a gap. A message that it knows by its `Nats-Msg-Id` is counted
and not stored again.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol
from uuid import uuid4

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.errors import APIError, NoStreamResponseError

from bus.kit.values import Value

BATCH_MAX = 1_000
NO_RESPONDERS = "503"
START, APPEND, COMMIT = 0, 1, 2


class Row(Protocol):
    """A message: its subject, its text, and the id under which it is stored once."""

    id: Any
    subject: str
    payload: str


class Ack(Value, frozen=True):
    """What the server says of a batch; `type` is set where it only says "go on"."""

    type: str | None = None
    seq: int = 0
    count: int = 0
    error: dict[str, Any] | None = None


class Ingest:
    """Sends batches over one connection; several may be under way."""

    def __init__(self, client: Client, *, seconds_max: float) -> None:
        self._client = client
        self._seconds_max = seconds_max
        self._inbox = client.new_inbox()
        self._waiting: dict[str, asyncio.Future[Ack]] = {}

    async def start(self) -> None:
        """Listen for the server's answers."""
        await self._client.subscribe(f"{self._inbox}.>", cb=self._answered)

    async def send(self, rows: Sequence[Row]) -> int:
        """Store at most BATCH_MAX messages; the stream's number of the last new one.

        Raises what the NATS client raises, TimeoutError or APIError when some may not
        be stored: all can be sent again, for what is stored is known by its id.
        """
        batch = uuid4().hex
        prefix = f"{self._inbox}.{batch}.{BATCH_MAX}.fail"
        last = len(rows)
        answer = asyncio.get_running_loop().create_future()
        self._waiting[batch] = answer
        try:
            for place, row in enumerate(rows, 1):
                task = COMMIT if place == last else APPEND if place > 1 else START
                await self._client.publish(
                    row.subject,
                    row.payload.encode(),
                    reply=f"{prefix}.{place}.{task}.$FI",
                    headers={"Nats-Msg-Id": str(row.id)},
                )
            ack: Ack = await asyncio.wait_for(answer, self._seconds_max)
        finally:
            del self._waiting[batch]
        if ack.error is not None or ack.count != last:
            raise APIError(description=f"{ack.count} of {last} stored: {ack.error}")
        return ack.seq

    async def _answered(self, message: Msg) -> None:
        batch = message.subject.removeprefix(self._inbox).split(".", 2)[1]
        answer = self._waiting.get(batch)
        if answer is None or answer.done():
            return
        if (message.headers or {}).get("Status") == NO_RESPONDERS:
            answer.set_exception(NoStreamResponseError())
            return
        ack = msgspec.json.decode(message.data, type=Ack)
        if ack.type is None:
            answer.set_result(ack)
