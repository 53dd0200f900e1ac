"""Settles pending charges when their time has come and tells of it, signed."""

import asyncio
import hashlib
import hmac
import logging
import time
from contextlib import suppress
from uuid import UUID

import aiohttp

from bus.kit.tasks import end_tasks
from scripts.bank.store import Store

IDLE_SECONDS_MAX = 30.0
ERROR_SECONDS = 1.0
WEBHOOK_TRIES_MAX = 20
WEBHOOKS_AT_ONCE_MAX = 20
WEBHOOK_TIMEOUT_SECONDS = 10
SIGNATURE_HEADER = "Bank-Signature"

log = logging.getLogger("bank")


def sign(secret: str, body: bytes, at: int) -> str:
    """`t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`: Stripe's scheme."""
    proof = hmac.new(secret.encode(), b"%d." % at + body, hashlib.sha256)
    return f"t={at},v1={proof.hexdigest()}"


class Settler:
    """The one task that watches what falls due; `wake` tells it of something new."""

    def __init__(self, store: Store, url: str | None, secret: str) -> None:
        self._store = store
        self._url = url
        self._secret = secret
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin with whatever a previous run has left."""
        self._task = asyncio.create_task(self._run())

    def wake(self) -> None:
        """Look again: a charge has become pending."""
        self._news.set()

    async def stop(self) -> None:
        """End; what is not delivered is taken up at the next start."""
        if self._task:
            await end_tasks([self._task])

    async def _run(self) -> None:
        timeout = aiohttp.ClientTimeout(total=WEBHOOK_TIMEOUT_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                self._news.clear()
                try:
                    pause = await self._turn(session)
                except Exception:
                    log.exception("settling failed; tried again")
                    pause = ERROR_SECONDS
                with suppress(TimeoutError):  # then its time has come
                    await asyncio.wait_for(self._news.wait(), pause)

    async def _turn(self, session: aiohttp.ClientSession) -> float:
        """Do what is due; seconds until something else is."""
        await self._store.settle_due()
        tries = WEBHOOK_TRIES_MAX if self._url else 0
        if self._url:
            due = await self._store.webhooks_due(tries, WEBHOOKS_AT_ONCE_MAX)
            await asyncio.gather(
                *(self._send(session, self._url, r["id"], r["body"]) for r in due)
            )
        seconds = await self._store.next_due_seconds(tries)
        return IDLE_SECONDS_MAX if seconds is None else min(seconds, IDLE_SECONDS_MAX)

    async def _send(
        self, session: aiohttp.ClientSession, url: str, event_id: UUID, text: str
    ) -> None:
        body = text.encode()
        headers = {
            SIGNATURE_HEADER: sign(self._secret, body, int(time.time())),
            "Content-Type": "application/json",
        }
        try:
            async with session.post(url, data=body, headers=headers) as answer:
                if answer.status < 300:
                    await self._store.webhook_delivered(event_id)
                else:
                    log.warning("webhook %s refused: %s", event_id, answer.status)
        except (aiohttp.ClientError, TimeoutError) as error:
            log.warning("webhook %s not taken: %r", event_id, error)
