"""Which access tokens count no more: epochs raised, sessions ended a while ago."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID

import msgspec

from bus.kit import logs
from bus.kit.refusals import Failed, Refusal, Unavailable, Unknown
from serve_app.kit.identity import Identity
from serve_app.kit.problems import unauthenticated, unavailable

CONFIRM_SECONDS = 0.5
AGE_SECONDS_MAX = 1.0
CHECKED_MAX = 20_000
# A person's clock and ours may differ; the list reaches back a little further.
MARGIN_SECONDS = 60

_log = logs.get("gateway")


class Raised(msgspec.Struct, frozen=True):
    """Epochs by person, sessions that ended by themselves, the next ask's `since`."""

    epochs: dict[UUID, int]
    ended_sessions: tuple[UUID, ...]
    as_of: datetime


class Sessions(Protocol):
    """What the domain that knows the sessions is asked."""

    async def list_raised(self, since: datetime) -> Raised:
        """What was raised and ended since then."""
        ...

    async def is_valid(self, identity: Identity) -> bool:
        """True if a token that says `identity` still counts."""
        ...


class Epochs:
    """The list of raised epochs and ended sessions, confirmed every half second.

    While the last confirmation is at most a second old a token is checked in memory;
    later each one is checked with the domain, and if that fails the answer is 503.
    """

    def __init__(
        self,
        sessions: Sessions,
        *,
        life_seconds: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sessions = sessions
        self._life_seconds = life_seconds + MARGIN_SECONDS
        self._clock = clock
        self._raised: dict[UUID, tuple[int, float]] = {}
        self._ended: dict[UUID, float] = {}
        self._since = datetime.now(UTC) - timedelta(seconds=self._life_seconds)
        self._confirmed_at = float("-inf")
        self._wanted = asyncio.Event()
        self._checks: dict[Identity, asyncio.Task[bool]] = {}
        self._checked: dict[Identity, tuple[bool, float]] = {}

    async def confirm(self) -> None:
        """Ask for what was raised and ended since the last time."""
        asked_at = self._clock()
        async with asyncio.timeout(AGE_SECONDS_MAX):
            raised = await self._sessions.list_raised(self._since)
        self._since = raised.as_of
        for user_id, epoch in raised.epochs.items():
            known, _ = self._raised.get(user_id, (0, 0.0))
            self._raised[user_id] = (max(known, epoch), asked_at)
        self._ended.update(dict.fromkeys(raised.ended_sessions, asked_at))
        self._confirmed_at = asked_at
        self._forget_old(asked_at)

    async def follow(self) -> None:
        """Keep the list confirmed until cancelled."""
        failing = False
        while True:
            try:
                async with asyncio.timeout(CONFIRM_SECONDS):
                    await self._wanted.wait()
            except TimeoutError:
                pass  # nobody asked for it sooner
            self._wanted.clear()
            try:
                await self.confirm()
                failing = False
            except (Refusal, Unavailable, Unknown, Failed, TimeoutError) as error:
                if not failing:
                    _log.warning("epochs not confirmed", reason=repr(error))
                failing = True

    def confirm_soon(self) -> None:
        """An event says that sessions ended: do not wait for the half second."""
        self._wanted.set()

    async def check(self, identity: Identity) -> None:
        """Raise Problem 401 if the token was revoked, 503 if that cannot be told."""
        valid = self.known(identity)
        if valid is None:
            valid = await self._ask(identity)
        if not valid:
            raise unauthenticated("token-revoked", "The session has ended.")

    def known(self, identity: Identity) -> bool | None:
        """Whether the token counts; None: the list is too old to tell."""
        if self._clock() - self._confirmed_at > AGE_SECONDS_MAX:
            return None
        epoch, _ = self._raised.get(identity.user_id, (0, 0.0))
        return identity.epoch >= epoch and identity.session_id not in self._ended

    async def _ask(self, identity: Identity) -> bool:
        """One ask a token and second, however many requests bring it."""
        answer, asked_at = self._checked.get(identity, (False, float("-inf")))
        if self._clock() - asked_at <= AGE_SECONDS_MAX:
            return answer
        task = self._checks.get(identity)
        if task is None:
            task = asyncio.create_task(self._ask_once(identity))
            self._checks[identity] = task
            task.add_done_callback(lambda _: self._checks.pop(identity, None))
        try:
            return await asyncio.shield(task)
        except (Refusal, Unavailable, Unknown, Failed, TimeoutError):
            raise unavailable("Sessions cannot be checked right now.") from None

    async def _ask_once(self, identity: Identity) -> bool:
        asked_at = self._clock()
        async with asyncio.timeout(AGE_SECONDS_MAX):
            valid = await self._sessions.is_valid(identity)
        if len(self._checked) >= CHECKED_MAX:
            self._checked.clear()
        self._checked[identity] = (valid, asked_at)
        return valid

    def _forget_old(self, now: float) -> None:
        """Tokens that an old entry could stop have expired by themselves."""
        oldest = now - self._life_seconds
        if any(at < oldest for _, at in self._raised.values()):
            self._raised = {
                user_id: (epoch, at)
                for user_id, (epoch, at) in self._raised.items()
                if at >= oldest
            }
        if any(at < oldest for at in self._ended.values()):
            self._ended = {
                session_id: at for session_id, at in self._ended.items() if at >= oldest
            }
