"""The parked events as they lie in the stream of dead letters."""

from dataclasses import dataclass
from types import SimpleNamespace

from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from bus.kit import streams
from bus.kit.dead_letters import LETTERS_MAX, read_letter

NO_LOG = SimpleNamespace(warning=lambda *_, **__: None)


@dataclass(frozen=True)
class Letter:
    """One parked event: who could not handle it, of which entity, and why."""

    domain: str
    type: str
    entity: str
    sequence: str
    reason: str


async def read_letters(url: str) -> list[Letter]:
    """All parked events, the oldest first; at most LETTERS_MAX."""
    connection = await streams.connect(url, "dead-letters", NO_LOG)
    try:
        return await _read(connection.jetstream())
    finally:
        await connection.close()


async def _read(js: JetStreamContext) -> list[Letter]:
    letters: list[Letter] = []
    number = 1
    while len(letters) < LETTERS_MAX:
        try:
            found = await js.get_msg(
                streams.DEAD, seq=number, subject="dead.>", next=True
            )
        except NotFoundError:
            break
        _, event = read_letter(found.data or b"")
        _, domain, entity = (found.subject or "").split(".", 2)
        reason = (found.headers or {}).get("Souk-Reason", "")
        letters.append(
            Letter(domain, event.type, event.subject, event.sequence, reason)
            if event
            else Letter(domain, "unreadable", entity, "", reason)
        )
        number = (found.seq or number) + 1
    return letters
