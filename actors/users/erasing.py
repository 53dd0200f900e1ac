"""Erasing a person: one step takes all that users holds, and tells the others."""

from datetime import timedelta

from actors.kit.domain import handles
from actors.users.people import People, present
from bus.kit.values import Done
from bus.users import (
    EraseUser,
    Role,
    SessionsRevoked,
    UserErased,
    last_administrator,
    sign_in_again,
)
from bus.users.erasing import SIGNED_IN_MINUTES_MAX
from persistence.kit.claims import Claim
from persistence.kit.erased import erased_among, note_erased
from persistence.kit.transaction import Tx
from persistence.users import (
    ERASED_EPOCH,
    delete_account,
    find_account,
    find_session,
    other_administrators,
)


class Erasing(People):
    """Takes people out of the shop."""

    @handles(EraseUser)
    async def erase_user(self, tx: Tx, m: EraseUser) -> Done:
        """Drop the person's rows; what is left is their id, and that it is nobody's.

        It is one transaction: a person is never half gone here, and the fact that the
        other domains act on is committed with it.
        """
        if await erased_among(tx, [m.user_id]):
            return Done()
        person = present(await find_account(tx, m.user_id))
        session = await find_session(tx, m.session_id)
        oldest = tx.now - timedelta(minutes=SIGNED_IN_MINUTES_MAX)
        if session is None or session["id"] != m.user_id:
            raise sign_in_again()
        if session["began_at"] < oldest:
            raise sign_in_again()
        if person["role"] == Role.ADMIN and not await other_administrators(
            tx, m.user_id
        ):
            raise last_administrator()
        await delete_account(tx, m.user_id)
        await tx.release_claims([Claim("email", person["email"], m.user_id)])
        await note_erased(tx, m.user_id)
        epoch = ERASED_EPOCH
        tx.tell(SessionsRevoked(user_id=m.user_id, epoch=epoch, reason="erased"), m)
        tx.tell(UserErased(user_id=m.user_id), m)
        return Done()
