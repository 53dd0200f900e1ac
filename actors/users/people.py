"""What every part of users works with: password threads, keyed hashes, settings."""

from typing import TypeVar
from uuid import UUID

from actors.kit.domain import Domain
from actors.users.passwords import Passwords, Pepper, new_secret
from bus.kit.addressing import new_id
from bus.kit.refusals import not_found
from bus.users import Purpose, SendCode, SessionsRevoked, SessionStart
from persistence.kit.transaction import Tx
from persistence.users import raise_epoch

Found = TypeVar("Found")



class People(Domain):
    """The ground of the parts of users; it handles nothing itself."""

    passwords: Passwords
    pepper: Pepper

    async def start(self) -> None:
        """Start the threads that check passwords."""
        self.passwords = Passwords(self.settings.bcrypt_rounds)
        self.pepper = Pepper(self.settings.encryption_keys.partition(",")[0])

    async def stop(self) -> None:
        """Let the threads go."""
        self.passwords.close()


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


def present(found: Found | None) -> Found:
    """What was found; refuses when nothing was."""
    if found is None:
        raise not_found("user")
    return found
