"""Erasing a person: what they were told goes, and nothing is told to them again."""

from actors.kit.domain import Domain, handles
from bus.kit.values import Done
from bus.users import UserErased
from persistence import notifications as store
from persistence.kit.erased import note_erased
from persistence.kit.transaction import Tx


class Erasing(Domain):
    """Forgets whom it has told something."""

    @handles(UserErased)
    async def user_erased(self, tx: Tx, event: UserErased) -> Done:
        """Drop the person's notifications and choices.

        Facts that come later are recorded for nobody: see `record_notification`.
        """
        await note_erased(tx, event.user_id)
        await store.forget_person(tx, event.user_id)
        tx.keep("preferences", event.user_id, None)
        return Done()
