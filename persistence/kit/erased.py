"""Erased people: their ids, so that nothing late writes anything of them again."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from persistence.kit.database import Db
from persistence.kit.transaction import Tx

SEEN_SECONDS_MAX = 60
"""After which no transaction is under way that has not seen that a person is gone."""


async def note_erased(tx: Tx, user_id: UUID) -> bool:
    """Remember that a person is gone; False when that was known."""
    tag = await tx.execute(
        """INSERT INTO erased (user_id, at) VALUES ($1, $2) ON CONFLICT DO NOTHING""",
        user_id,
        tx.now,
    )
    tx.keep("erased", user_id, True)
    return tag.endswith(" 1")


async def erased_among(db: Db, user_ids: Iterable[UUID]) -> set[UUID]:
    """Those of these people who are gone."""
    wanted = sorted(set(user_ids))
    if not wanted:
        return set()
    rows = await db.fetch(
        "SELECT user_id FROM erased WHERE user_id = ANY($1::uuid[])", wanted
    )
    return {row["user_id"] for row in rows}


async def erased_here(tx: Tx, user_ids: Iterable[UUID]) -> set[UUID]:
    """The same from memory, where the shard owns what these people's ids name.

    Nobody else notes them, so what was read once stays true until it is noted here.
    """
    known = await tx.load("erased", sorted(set(user_ids)), _read)
    return {user_id for user_id, gone in known.items() if gone}


async def _read(db: Db, user_ids: Sequence[UUID]) -> dict[UUID, bool]:
    gone = await erased_among(db, user_ids)
    return {user_id: user_id in gone for user_id in user_ids}
