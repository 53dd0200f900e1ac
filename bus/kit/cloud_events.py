"""Events as they come back from the stream: CloudEvents 1.0 documents (contract §3)."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import msgspec

from bus.kit.messages import MESSAGE_TYPES
from bus.kit.values import Value

ASK_SECONDS = 20.0

Ask = Callable[..., Awaitable[Any]]


class CloudEvent(Value, frozen=True):
    """The members of a CloudEvents document that a consumer needs."""

    id: UUID
    type: str
    subject: str
    sequence: str
    data: msgspec.Raw
    traceparent: str | None = None


async def ask_to_handle(ask: Ask, domain: str, event: CloudEvent) -> None:
    """Ask a consuming domain to handle an event."""
    kind = MESSAGE_TYPES[event.type.rsplit(".v", 1)[0]]
    await ask(
        msgspec.json.decode(event.data, type=kind),
        id=event.id,
        sequence=int(event.sequence),
        domain=domain,
        join=True,
        timeout_seconds=ASK_SECONDS,
    )
