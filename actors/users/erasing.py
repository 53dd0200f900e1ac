"""Erasing a person: one step takes all that users holds, and tells the others."""

from datetime import timedelta

from actors.kit.domain import handles
from actors.users.identities import identity_claim
from actors.users.people import People, others_stay, present
from bus.kit.values import Done
from bus.users import (
    EraseUser,
    Role,
    SessionsRevoked,
    UserErased,
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
    find_identities,
    find_session,
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
        if person["role"] == Role.ADMIN:
            await others_stay(tx, m.user_id)
        identities = await find_identities(tx, m.user_id)
        await delete_account(tx, m.user_id)
        await tx.release_claims(
            [
                Claim("email", person["email"], m.user_id),
                *(
                    identity_claim(it.issuer, it.subject, m.user_id)
                    for it in identities
                ),
            ]
        )
        await note_erased(tx, m.user_id)
        tx.audit(m, m.user_id)
        epoch = ERASED_EPOCH
        tx.tell(SessionsRevoked(user_id=m.user_id, epoch=epoch, reason="erased"), m)
        tx.tell(UserErased(user_id=m.user_id), m)
        return Done()
