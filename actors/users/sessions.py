"""Sign-ins: opened by a password, carried on by rotating tokens, ended."""

import hmac
import os
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from actors.kit.domain import handles
from actors.kit.process import Run
from actors.users.passwords import next_secret, secret_hash
from actors.users.people import People, end_all_sessions, new_session, present
from bus.kit.values import Done
from bus.users import (
    ExpireSession,
    ForgetTries,
    LogIn,
    LoginTry,
    LogOut,
    LogOutAll,
    OpenSession,
    RefreshTokens,
    Role,
    SessionStart,
    SignedIn,
    Status,
    SwapToken,
    TokenSwap,
    TryLogin,
    account_blocked,
    invalid_credentials,
    invalid_token,
    token_reused,
    too_many_tries,
)
from persistence.kit.transaction import Tx
from persistence.users import (
    count_try,
    drop_session,
    find_account,
    find_session,
    forget_tries,
    insert_session,
    knows_client,
    living_sessions,
    rotate_session,
    user_view,
)

SESSIONS_MAX = 20
TRIES_MAX = 10
TRIES_WINDOW_SECONDS = 900
STRANGERS_TRIES_MAX = 1_000
"""Tries of one account from all clients together that hold no session of it.

So many addresses at once guess no faster. Nobody is locked out where they are signed
in; and a new password, by the mailed code, begins the count anew.
"""
# RFC 9700 §4.14.2 asks for reuse detection; a client whose answer was lost must still
# be able to ask again.
REPEAT_SECONDS_MAX = 10


class Sessions(People):
    """People's sessions."""

    @handles(LogIn)
    async def log_in(self, run: Run, m: LogIn) -> SignedIn:
        """Count the try, check the password, open a session.

        An unknown account goes the same way, in the same time, to the same answers.
        """
        password_hash = await self.count_try(run, m.user_id, m.client)
        right = await self.passwords.verify(m.password, password_hash)
        if not right or password_hash is None:
            raise invalid_credentials()
        return await run.step(
            OpenSession(
                user_id=m.user_id,
                password_hash=password_hash,
                start=new_session(m.user_id, m.client),
            )
        )

    async def count_try(self, run: Run, user_id: UUID, client: str) -> str | None:
        """What a password is to be checked against; refuses after too many tries.

        Tries count by account and client: who fails elsewhere locks nobody else out.
        """
        tried = await run.step(TryLogin(user_id=user_id, client=client))
        if tried.locked_seconds:
            raise too_many_tries(tried.locked_seconds)
        return tried.password_hash

    @handles(TryLogin)
    async def try_login(self, tx: Tx, m: TryLogin) -> LoginTry:
        """Count a try, and hand out what the password is checked against."""
        client_hashes = self.pepper.hashes("client", m.client)
        counted = [(client_hashes[0], TRIES_MAX)]
        if not await knows_client(tx, m.user_id, client_hashes):
            counted.append((self.pepper.hash("strangers"), STRANGERS_TRIES_MAX))
        self._sweep_tries(tx, m.user_id)
        for counted_as, tries_max in counted:
            locked_seconds = await self._count(tx, m.user_id, counted_as, tries_max)
            if locked_seconds:
                return LoginTry(locked_seconds=locked_seconds)
        row = await find_account(tx, m.user_id)
        return LoginTry(password_hash=row["password_hash"] if row else None)

    async def _count(
        self, tx: Tx, user_id: UUID, counted_as: bytes, tries_max: int
    ) -> int:
        """Count a try; for how many seconds that is one too many, else 0."""
        window = timedelta(seconds=TRIES_WINDOW_SECONDS)
        tries, since = await count_try(tx, user_id, counted_as, tx.now - window)
        left = since + window - tx.now
        return max(1, round(left.total_seconds())) if tries > tries_max else 0

    def _sweep_tries(self, tx: Tx, user_id: UUID) -> None:
        """Have the counts of this window dropped after the next: one timer a window."""
        number = int(tx.now.timestamp()) // TRIES_WINDOW_SECONDS
        ends_at = tx.now + timedelta(seconds=2 * TRIES_WINDOW_SECONDS)
        tx.due(f"tries:{user_id}:{number}", ends_at, ForgetTries(user_id=user_id))

    @handles(ForgetTries)
    async def forget_tries(self, tx: Tx, m: ForgetTries) -> Done:
        """Drop counts whose window has passed."""
        window = timedelta(seconds=TRIES_WINDOW_SECONDS)
        await forget_tries(tx, m.user_id, before=tx.now - window)
        return Done()

    @handles(OpenSession)
    async def open_session(self, tx: Tx, m: OpenSession) -> SignedIn:
        """Insert a session if the checked password still counts."""
        row = await find_account(tx, m.user_id)
        if row is None or row["password_hash"] != m.password_hash:
            raise invalid_credentials()
        if row["status"] != Status.ACTIVE:
            raise account_blocked()
        return await self.start_session(tx, row, m.start)

    async def start_session(self, tx: Tx, row: Any, start: SessionStart) -> SignedIn:
        """Insert a session of a person's row, once by its id; the oldest may end."""
        user_id = row["id"]
        client_hash = self.pepper.hash("client", start.client)
        hashes = (secret_hash(start.secret), client_hash)
        expires_at = self._ends_at(row["role"], tx.now, tx.now)
        await insert_session(tx, start.session_id, user_id, hashes, expires_at)
        oldest = (await living_sessions(tx, user_id))[SESSIONS_MAX:]
        await self.end_sessions(tx, row, oldest, "too-many-sessions")
        await forget_tries(tx, user_id, client_hash)
        expire = ExpireSession(session_id=start.session_id)
        tx.due(f"session:{start.session_id}", expires_at, expire)
        return signed_in(row, start.session_id, start.secret)

    @handles(RefreshTokens)
    async def refresh_tokens(self, run: Run, m: RefreshTokens) -> SignedIn:
        """Swap the token; one that was used has then already ended its session."""
        swap = await run.step(
            SwapToken(session_id=m.session_id, secret=m.secret, client=m.client)
        )
        if swap.signed_in is not None:
            return swap.signed_in
        raise token_reused() if swap.reused else invalid_token()

    @handles(SwapToken)
    async def swap_token(self, tx: Tx, m: SwapToken) -> TokenSwap:
        """Put the next token in place, give it again, or end a stolen session."""
        row = await find_session(tx, m.session_id)
        if row is None or row["status"] != Status.ACTIVE:
            return TokenSwap()
        presented = secret_hash(m.secret)
        if hmac.compare_digest(presented, row["secret_hash"]):
            client_hash = self.pepper.hash("client", m.client)
            nonce = os.urandom(32)
            secret = next_secret(m.secret, nonce)
            hashes = (secret_hash(secret), presented, client_hash)
            ends_at = self._ends_at(row["role"], row["began_at"], tx.now)
            await rotate_session(tx, m.session_id, hashes, nonce, ends_at)
            return TokenSwap(signed_in=signed_in(row, m.session_id, secret))
        same_client = self.pepper.matches(row["client_hash"], "client", m.client)
        if same_client and is_repeat(row, presented, tx.now):
            secret = next_secret(m.secret, row["nonce"])
            return TokenSwap(signed_in=signed_in(row, m.session_id, secret))
        await self.end_sessions(tx, row, [m.session_id], "token-reused")
        return TokenSwap(reused=True)

    @handles(ExpireSession)
    async def expire_session(self, tx: Tx, m: ExpireSession) -> Done:
        """Drop a session whose time is over; look again later if it was refreshed."""
        row = await find_session(tx, m.session_id)
        if row is not None:
            tx.due(f"session:{m.session_id}", row["expires_at"], m)
        else:
            await drop_session(tx, m.session_id)
        return Done()

    @handles(LogOut)
    async def log_out(self, tx: Tx, m: LogOut) -> Done:
        """End one session; one that is another's or has ended stays as it is."""
        person = present(await find_account(tx, m.user_id))
        living = await living_sessions(tx, m.user_id)
        ended = [each for each in living if each == m.session_id]
        await self.end_sessions(tx, person, ended, "logout")
        return Done()

    @handles(LogOutAll)
    async def log_out_all(self, tx: Tx, m: LogOutAll) -> Done:
        """End every session."""
        present(await find_account(tx, m.user_id))
        await end_all_sessions(tx, m.user_id, "logout-all")
        return Done()

    def _ends_at(self, role: str, began_at: datetime, now: datetime) -> datetime:
        """When a session ends that is used now: idle too long, or at any rate."""
        settings = self.settings
        whole = timedelta(days=settings.session_days_max)
        if role != Role.CUSTOMER:
            whole = min(whole, timedelta(hours=settings.staff_session_hours_max))
        idle = timedelta(days=settings.refresh_token_days)
        return min(now + idle, began_at + whole)


def signed_in(row: Any, session_id: UUID, secret: str) -> SignedIn:
    """The session of a person's row, with the token that counts now."""
    return SignedIn(
        user=user_view(row),
        session_id=session_id,
        refresh_token=f"{session_id}.{secret}",
        epoch=row["epoch"],
    )


def is_repeat(row: Any, presented: bytes, now: Any) -> bool:
    """Whether this token was swapped just now and its answer is asked for again.

    Once the next token was used, the one presented is no longer the one before it.
    """
    return (
        row["previous_hash"] is not None
        and hmac.compare_digest(presented, row["previous_hash"])
        and now - row["rotated_at"] <= timedelta(seconds=REPEAT_SECONDS_MAX)
    )
