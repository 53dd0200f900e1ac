"""What of a person's account only their own export shows."""

from actors.kit.domain import handles
from actors.users.people import People
from bus.kit.values import Page
from bus.users import ListSessions, SessionSeen
from persistence.kit.database import Db
from persistence.users import find_sessions


class Exporting(People):
    """Reads what a person may have in a file of their own."""

    @handles(ListSessions)
    async def list_sessions(self, db: Db, q: ListSessions) -> Page[SessionSeen]:
        """A person's sessions."""
        return Page(tuple(await find_sessions(db, q.user_id)))
