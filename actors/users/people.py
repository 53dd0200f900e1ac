"""What every part of users works with: password threads, keyed hashes, settings."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

from actors.kit.domain import Domain
from actors.users.passwords import Passwords, new_secret
from actors.users.pepper import Pepper
from bus.kit.addressing import new_id
from bus.kit.refusals import not_found
from bus.users import (
    ExpireSession,
    Purpose,
    SendCode,
    SessionsRevoked,
    SessionStart,
    last_administrator,
)
from persistence.kit.transaction import Tx
from persistence.users import (
    drop_sessions,
    has_other_admin,
    mark_ended,
    raise_epoch,
)

Found = TypeVar("Found")

# An access token may be signed a moment after the session that it is for was read.
SIGNING_SECONDS_MAX = 60


class People(Domain):
    """The ground of the parts of users; it handles nothing itself."""

    passwords: Passwords
    pepper: Pepper

    async def start(self) -> None:
        """Start the threads that check passwords."""
        self.passwords = Passwords(self.settings.bcrypt_rounds)
        self.pepper = Pepper(self.settings.encryption_keys)

    async def stop(self) -> None:
        """Let the threads go."""
        self.passwords.close()

    def url_of(self, path: str) -> str:
        """A path of the shop as its customers see it."""
        settings = self.settings
        own = f"http://{settings.http_host}:{settings.http_port}"
        return f"{settings.public_url.rstrip('/') or own}{path}"

    async def end_sessions(
        self, tx: Tx, person: Any, session_ids: Sequence[UUID], reason: str
    ) -> None:
        """End some sessions of a person's row; the others' tokens go on counting.

        They are remembered for as long as their last access tokens would live.
        """
        if not session_ids:
            return
        await mark_ended(tx, session_ids)
        life = timedelta(minutes=self.settings.access_token_minutes)
        gone_at = tx.now + life + timedelta(seconds=SIGNING_SECONDS_MAX)
        for session_id in session_ids:
            expire = ExpireSession(session_id=session_id)
            tx.due(f"session:{session_id}", gone_at, expire)
        tx.tell(
            SessionsRevoked(
                user_id=person["id"],
                epoch=person["epoch"],
                reason=reason,
                session_ids=tuple(session_ids),
            )
        )


async def end_all_sessions(tx: Tx, user_id: UUID, reason: str) -> None:
    """Drop a person's sessions, and make every access token too old."""
    await drop_sessions(tx, user_id)
    await revoke_tokens(tx, user_id, reason)


async def revoke_tokens(tx: Tx, user_id: UUID, reason: str) -> None:
    """Make every access token of a person too old, and tell so."""
    epoch = await raise_epoch(tx, user_id)
    tx.tell(SessionsRevoked(user_id=user_id, epoch=epoch, reason=reason))


def mail_code(tx: Tx, user_id: UUID, purpose: Purpose) -> None:
    """Have a code made and mailed, right after the commit.

    It is asked for alike whether the id is somebody's or nobody's, so that the answer
    takes the same time.
    """
    name = f"code:{purpose}:{user_id}"
    tx.due(name, tx.now, SendCode(user_id=user_id, purpose=purpose))


def new_session(user_id: UUID, client: str) -> SessionStart:
    """A session with a fresh secret, whose id routes like its person's."""
    return SessionStart(session_id=new_id(user_id), secret=new_secret(), client=client)


async def others_stay(tx: Tx, user_id: UUID) -> None:
    """Refuse to take the last administrator away; another may be leaving just now."""
    if not await has_other_admin(tx, user_id):
        raise last_administrator()


def present(found: Found | None) -> Found:
    """What was found; refuses when nothing was."""
    if found is None:
        raise not_found("user")
    return found
