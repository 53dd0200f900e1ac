"""Erasing a person: what was written to them goes, and nothing is written any more."""

from datetime import timedelta

from actors.kit.domain import Domain, handles
from actors.messaging.letter import UnusableAddress, envelope_address
from bus.kit.values import Done
from bus.messaging import ForgetRecipients
from bus.users import UserErased
from persistence import messaging as store
from persistence.kit.erased import note_erased
from persistence.kit.transaction import Tx

UNDER_WAY_SECONDS_MAX = 60
"""How long a mail that has left the queue may take to be caught."""


class Erasing(Domain):
    """Forgets whom it has written to."""

    @handles(UserErased)
    async def user_erased(self, tx: Tx, event: UserErased) -> Done:
        """Drop the person's log, queue, caught and bounced mail; again in a minute.

        Their addresses are those that the log knows. A row may be another shard's:
        what is gone is not sent, marked or tried again by any of them.
        """
        await note_erased(tx, event.user_id)
        known = await store.addresses_of(tx, event.user_id)
        addresses = {form for address in known for form in forms_of(address)}
        await store.forget_person(tx, event.user_id, addresses)
        at = tx.now + timedelta(seconds=UNDER_WAY_SECONDS_MAX)
        again = ForgetRecipients(user_id=event.user_id)
        tx.due(f"recipients:{event.user_id}", at, again)
        return Done()

    @handles(ForgetRecipients)
    async def forget_recipients(self, tx: Tx, m: ForgetRecipients) -> Done:
        """Drop what was caught, or bounced, meanwhile."""
        await store.forget_recipients(tx, m.user_id)
        return Done()


def forms_of(address: str) -> tuple[str, ...]:
    """An address as it is logged, and as an envelope carries it."""
    try:
        return (address, envelope_address(address))
    except UnusableAddress:  # a phone number, or what nothing was ever sent to
        return (address,)
