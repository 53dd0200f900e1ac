"""Each change of a person's notifications has a place, so that none is missed."""

import asyncio
import random
from typing import Any
from uuid import UUID

from bus.kit.addressing import new_id
from bus.notifications import (
    GetNotificationsAfter,
    MarkAllRead,
    MarkRead,
    NotificationType,
    NotificationView,
    SendNotification,
    SetPreferences,
)
from persistence.kit.migrations import migrate
from tests.notifications.support import person


async def tell(s: Any, user_id: UUID, title: str) -> UUID:
    """Tell a person something in the shop; its id."""
    identity = new_id(user_id)
    await s.ask(
        SendNotification(
            notification_id=identity,
            user_id=user_id,
            type=NotificationType.PROMOTION,
            title=title,
            body="",
        )
    )
    return identity


async def after(
    s: Any, user_id: UUID, position: int | None, limit: int = 100
) -> tuple[NotificationView, ...]:
    query = GetNotificationsAfter(user_id=user_id, after=position, limit=limit)
    items: tuple[NotificationView, ...] = (await s.ask(query)).items
    return items


async def test_what_is_read_moves_to_the_end(told_shop: Any) -> None:
    async with told_shop() as s:
        ann, bob = person("Ann"), person("Bob")
        ids = [await tell(s, ann, str(n)) for n in range(3)]
        await tell(s, bob, "other")
        first = await after(s, ann, 0)
        assert [one.id for one in first] == ids
        read = await s.ask(MarkRead(user_id=ann, notification_id=ids[0]))
        assert read.position > first[-1].position
        again = await s.ask(MarkRead(user_id=ann, notification_id=ids[0]))
        assert again == read
        assert await after(s, ann, first[-1].position) == (read,)
        assert [one.id for one in await after(s, ann, first[0].position)] == [
            *ids[1:],
            ids[0],
        ]
        await s.ask(MarkAllRead(user_id=ann))
        rest = await after(s, ann, read.position)
        assert [one.id for one in rest] == ids[1:]
        assert all(one.read_at for one in rest)
        assert await after(s, ann, rest[-1].position) == ()
        assert len(await after(s, bob, 0)) == 1
        # Whoever has nothing yet gets the last ones, in order.
        assert await after(s, ann, None, limit=2) == rest
        assert [one.id for one in await after(s, ann, 0, limit=2)] == [ids[0], ids[1]]
        assert await after(s, person("New"), None) == ()
        unwanted = {NotificationType.PROMOTION: {"in_app": False}}
        await s.ask(SetPreferences(user_id=ann, types=unwanted))
        await tell(s, ann, "by mail alone")
        assert await after(s, ann, rest[-1].position) == ()


async def test_a_follower_sees_every_change_once_beside_many_writers(
    told_shop: Any,
) -> None:
    async with told_shop(shards=2) as s:
        people = [person(f"P{n}") for n in range(3)]
        chance = random.Random(7)
        seen: dict[UUID, list[NotificationView]] = {one: [] for one in people}
        writing = True

        async def write(user_id: UUID) -> None:
            for n in range(8):
                identity = await tell(s, user_id, str(n))
                if chance.random() < 0.5:
                    await s.ask(MarkRead(user_id=user_id, notification_id=identity))
            await s.ask(MarkAllRead(user_id=user_id))

        async def follow(user_id: UUID) -> None:
            mine = seen[user_id]
            while True:
                last = not writing
                found = await after(s, user_id, mine[-1].position if mine else 0, 3)
                mine += found
                if last and not found:
                    return
                await asyncio.sleep(0)

        readers = [asyncio.create_task(follow(one)) for one in people]
        await asyncio.gather(*(write(one) for one in people for _ in range(4)))
        writing = False
        await asyncio.gather(*readers)
        for user_id in people:
            positions = [one.position for one in seen[user_id]]
            assert positions == sorted(set(positions))
            latest = {one.id: one for one in seen[user_id]}
            now = await after(s, user_id, 0)
            assert len(now) == 32
            assert {one.id: one for one in now} == latest
            assert all(one.read_at for one in now)


async def test_positions_rise_whatever_was_there_before_and_has_gone(
    told_shop: Any,
) -> None:
    async with told_shop() as s:
        ann, bob = person("Ann"), person("Bob")
        ids = [await tell(s, ann, str(n)) for n in range(3)]
        await tell(s, bob, "other")
        connection = await s.database("notifications")
        await connection.execute("ALTER TABLE notifications DROP COLUMN position")
        await connection.execute(
            "UPDATE notifications SET updated_at = updated_at + interval '1 s' "
            "WHERE id = $1",
            ids[0],
        )
        await connection.execute("DROP INDEX notifications_mailed")
        await connection.execute(
            "DROP TABLE removals; DROP FUNCTION note_removal CASCADE"
        )
        await connection.execute(
            "UPDATE alembic_version SET version_num = '0001' WHERE version_num = '0004'"
        )
        await migrate("notifications", s.urls["notifications"])
        found = await after(s, ann, 0)
        assert [(one.id, one.position) for one in found] == [
            (ids[1], 1),
            (ids[2], 2),
            (ids[0], 3),
        ]
        assert [one.position for one in await after(s, bob, 0)] == [1]
        later = await s.ask(MarkRead(user_id=ann, notification_id=ids[1]))
        assert later.position > 10**15
        await connection.execute("DELETE FROM notifications")
        identity = await tell(s, ann, "new")
        assert [one.id for one in await after(s, ann, later.position)] == [identity]
