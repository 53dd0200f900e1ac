"""What of a person's account only their own export shows."""

from actors.kit.domain import handles
from actors.users.people import People
from bus.kit.values import Page
from bus.users import IdentitySeen, ListIdentities, ListSessions, SessionSeen
from persistence.kit.database import Db
from persistence.users import find_identities, find_sessions


class Exporting(People):
    """Reads what a person may have in a file of their own."""

    @handles(ListSessions)
    async def list_sessions(self, db: Db, q: ListSessions) -> Page[SessionSeen]:
        """A person's sessions."""
        return Page(tuple(await find_sessions(db, q.user_id)))

    @handles(ListIdentities)
    async def list_identities(self, db: Db, q: ListIdentities) -> Page[IdentitySeen]:
        """What a person signs in with elsewhere."""
        return Page(tuple(await find_identities(db, q.user_id)))
