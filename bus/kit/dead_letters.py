"""Dead letters: events that a consumer could not handle, parked with their entity."""

import re
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec
from nats.aio.msg import Msg
from nats.js.errors import NotFoundError

from bus.kit import families, streams
from bus.kit.cloud_events import CloudEvent, ask_to_handle
from bus.kit.metrics import Meters

Ask = Callable[..., Awaitable[Any]]

LETTERS_MAX = 10_000


class DeadLetters:
    """The parked entities, each on the subject `dead.<domain>.<entity>`.

    Once an event of an entity is parked, its later ones are too, so that a replay
    finds them in order.
    """

    def __init__(
        self, js: Any, ask: Ask, *, log: Any, meters: Meters | None = None
    ) -> None:
        self._meters = meters or Meters()
        self._js = js
        self._ask = ask
        self._log = log
        self._parked: set[tuple[str, str]] = set()
        self.parked_total = 0

    async def load(self, domain: str) -> None:
        """Learn which entities of a domain are parked."""
        info = await self._js.stream_info(
            streams.DEAD, subjects_filter=f"dead.{domain}.>"
        )
        subjects = info.state.subjects or {}
        parked = {(domain, subject.split(".", 2)[2]) for subject in subjects}
        self._parked = {key for key in self._parked if key[0] != domain} | parked
        self._meters.gauge(
            families.DEAD_ENTITIES, lambda: self._count(domain), domain=domain
        )

    def _count(self, domain: str) -> int:
        return sum(name == domain for name, _ in self._parked.copy())

    def holds(self, domain: str, entity: str) -> bool:
        """Whether an earlier event of the entity is parked."""
        return (domain, token(entity)) in self._parked

    async def park(self, domain: str, entity: str, message: Msg, why: str) -> None:
        """Put an event aside; the alert follows from where it lies (`bus/kit/alerts`).

        The message's id lets one that is parked again, after a kill before its
        acknowledgement, lie there once.
        """
        name = token(entity)
        identity, _ = read_letter(message.data)
        await self._js.publish(
            f"dead.{domain}.{name}",
            message.data,
            headers={
                "Nats-Msg-Id": f"{domain}:{identity}",
                "Souk-Subject": message.subject,
                "Souk-Reason": _one_line(why),
            },
        )
        self._parked.add((domain, name))
        self.parked_total += 1
        self._meters.counter(families.DEAD_LETTERS, domain=domain).value += 1
        self._log.error("event-parked", domain=domain, entity=entity, reason=why)

    async def replay(self, domain: str, entity: str | None = None) -> int:
        """Deliver parked events again, in order; stops an entity at its first failure.

        Returns how many were handled and taken off the dead letters.
        """
        stuck: set[str] = set()
        handled = 0
        for sequence, subject, data in await self._letters(domain, entity):
            if subject in stuck:
                continue
            try:
                event = msgspec.json.decode(data, type=CloudEvent)
                await ask_to_handle(self._ask, domain, event)
            except Exception as error:  # noqa: BLE001 - stays parked, said in the log
                self._log.error("replay-failed", subject=subject, error=repr(error))
                stuck.add(subject)
                continue
            await self._js.delete_msg(streams.DEAD, sequence)
            handled += 1
        await self.load(domain)
        return handled

    async def _letters(
        self, domain: str, entity: str | None
    ) -> list[tuple[int, str, bytes]]:
        """The parked events of a domain (or of one entity), oldest first."""
        wanted = f"dead.{domain}.{token(entity) if entity else '>'}"
        letters: list[tuple[int, str, bytes]] = []
        sequence = 1
        while len(letters) < LETTERS_MAX:
            try:
                letter = await self._js.get_msg(
                    streams.DEAD, seq=sequence, subject=wanted, next=True
                )
            except NotFoundError:
                break
            letters.append((letter.seq, letter.subject, letter.data))
            sequence = letter.seq + 1
        return letters


def token(entity: str) -> str:
    """An entity's id as one token of a NATS subject."""
    return re.sub(r"[^A-Za-z0-9_-]", lambda found: f"={ord(found[0]):x}", entity)


def read_letter(data: bytes) -> tuple[UUID, CloudEvent | None]:
    """The id of a parked event, and the event; None when nobody can read it."""
    try:
        event = msgspec.json.decode(data, type=CloudEvent)
    except msgspec.MsgspecError:
        return uuid5(NAMESPACE_URL, data.hex()), None
    return event.id, event


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
