"""Alerts: for each entity whose events were put aside, one question to a person."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import nats
from nats.aio.msg import Msg
from nats.js.errors import APIError, NotFoundError

from bus.kit import streams
from bus.kit.addressing import derived_id
from bus.kit.dead_letters import read_letter
from bus.kit.messages import Message
from bus.kit.refusals import Failed, Refusal, Unavailable, Unknown
from bus.kit.tasks import end_tasks

FETCH_MAX = 50
FETCH_SECONDS = 5.0
ASK_SECONDS_MAX = 10.0
TRIES_MAX = 5
BACKOFF_SECONDS = 0.2
BACKOFF_SECONDS_MAX = 5.0
RETRY_SECONDS = 0.5
DURABLE = "alerts"
FAILURES = (nats.errors.Error, APIError, OSError, TimeoutError)

Ask = Callable[..., Awaitable[Any]]
MakeAlert = Callable[[str, str, str], Message]
"""The alert for a domain, an entity and the type of the event that was put aside."""


class Alerts:
    """Reads the dead letters with a durable consumer and asks for an alert of each.

    The alert's id follows from the first letter of its entity, so what lies behind it,
    and what is delivered again after a kill, alerts nobody a second time. One that
    fails is logged and given up: it is no event, and is never put aside itself. While
    whoever is asked is away, the letters wait.
    """

    def __init__(
        self,
        js: Any,
        make: MakeAlert,
        ask: Ask,
        *,
        ensure: Callable[[], Awaitable[None]],
        log: Any,
    ) -> None:
        self._js = js
        self._make = make
        self._ask = ask
        self._ensure = ensure
        self._log = log
        self._pull: Any = None
        self._loop: asyncio.Task[None] | None = None
        self.alerted_total = 0

    async def start(self) -> None:
        """Make the durable consumer and begin to pull."""
        await self._bind()
        self._loop = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Pull nothing more; what was not acknowledged comes again."""
        await end_tasks(task for task in (self._loop,) if task)

    async def _bind(self) -> None:
        self._pull = await streams.ensure_consumer(
            self._js, DURABLE, ["dead.>"], FETCH_MAX, streams.DEAD
        )

    async def _run(self) -> None:
        while True:
            try:
                for letter in await self._pull.fetch(FETCH_MAX, timeout=FETCH_SECONDS):
                    await self._handle(letter)
                    await letter.ack()
            except TimeoutError:
                continue  # nothing new
            except (NotFoundError, APIError):
                await self._make_again()
            except (nats.errors.Error, OSError) as error:
                self._log.warning("letters-not-read", error=repr(error))
                await asyncio.sleep(RETRY_SECONDS)

    async def _make_again(self) -> None:
        """The stream or the consumer is gone (a lost store): make it anew."""
        try:
            await self._ensure()
            await self._bind()
        except FAILURES as error:
            self._log.warning("consumer-missing", domain=DURABLE, error=repr(error))
        await asyncio.sleep(RETRY_SECONDS)

    async def _handle(self, letter: Msg) -> None:
        """Alert of the first letter that lies where this one does, if any does."""
        domain, token = letter.subject.split(".", 2)[1:]
        try:
            first = await self._js.get_msg(
                streams.DEAD, seq=1, subject=letter.subject, next=True
            )
        except NotFoundError:
            return  # replayed in the meantime: there is nothing left to do
        identity, event = read_letter(first.data)
        entity, kind = (event.subject, event.type) if event else (token, "unreadable")
        await self._raise(
            derived_id(identity, f"alert:{domain}"),
            self._make(domain, entity, kind),
            letter,
        )

    async def _raise(self, identity: UUID, alert: Message, letter: Msg) -> None:
        tries = failures = 0
        while True:
            try:
                await self._ask(
                    alert, id=identity, join=True, timeout_seconds=ASK_SECONDS_MAX
                )
            except (Unavailable, Unknown) as end:
                problem: Exception = end
            except (Refusal, Failed) as end:
                problem = end
                failures += 1
                if failures >= TRIES_MAX:
                    self._log.error("alert-failed", about=alert.key, error=repr(end))
                    return
            else:
                self.alerted_total += 1
                return
            tries += 1
            self._log.warning("alert-waits", about=alert.key, error=repr(problem))
            await letter.in_progress()
            delay = BACKOFF_SECONDS * 2 ** min(tries, 8)
            await asyncio.sleep(min(delay, BACKOFF_SECONDS_MAX))
