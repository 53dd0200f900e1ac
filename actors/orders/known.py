"""What orders knows of commands that came before."""

from datetime import UTC, datetime

from actors.kit.domain import Domain, handles
from bus.orders import KnownOrder, WasPlaced
from persistence.kit import handled
from persistence.kit.database import Db


class Known(Domain):
    """Answers for the edge, which refuses nothing that was answered before."""

    @handles(WasPlaced)
    async def was_placed(self, db: Db, q: WasPlaced) -> KnownOrder:
        """Whether the command has a handled row, finished or not."""
        found = await handled.find(db, [q.command_id], datetime.now(UTC))
        return KnownOrder(bool(found))
