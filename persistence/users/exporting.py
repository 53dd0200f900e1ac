"""What of a person's account only their own export shows."""

from uuid import UUID

from bus.users import SessionSeen
from persistence.kit.database import Db

SESSIONS_MAX = 1_000


async def find_sessions(db: Db, user_id: UUID) -> list[SessionSeen]:
    """A person's sessions, those that ended and are not dropped yet included."""
    rows = await db.fetch(
        """SELECT id, created_at, rotated_at, expires_at, ended_at FROM sessions
           WHERE user_id = $1 ORDER BY id DESC LIMIT $2""",
        user_id,
        SESSIONS_MAX,
    )
    return [SessionSeen(**dict(row)) for row in rows]
