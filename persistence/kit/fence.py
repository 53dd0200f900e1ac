"""Slots and their epochs: the newest incarnation of a shard is the only writer."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from bus.kit.addressing import SLOTS

INCARNATIONS_MAX = 1_000
"""So many starts of a domain's shards are remembered, for copies that come back."""


class Fenced(Exception):
    """A newer incarnation owns what this one took for its own: it must leave."""


class SlotsMoved(Exception):
    """Some slots now belong to another shard; `slots` names them and it."""

    def __init__(self, slots: dict[int, int]) -> None:
        super().__init__(slots)
        self.slots = slots


async def assign(connection: Any, shards: int) -> None:
    """Spread all slots over `shards` shards; a slot that moves gets a new epoch."""
    await connection.execute(
        """INSERT INTO slots (slot, shard)
           SELECT slot, slot % $1 FROM generate_series(0, $2 - 1) AS slot
           ON CONFLICT (slot) DO UPDATE
           SET shard = excluded.shard, epoch = slots.epoch + 1
           WHERE slots.shard <> excluded.shard""",
        shards,
        SLOTS,
    )


async def take_over(connection: Any, shard: int, name: str) -> dict[int, int]:
    """Become the one writer of the shard's slots; returns slot → epoch.

    `name` is domain:shard:incarnation. The first thing that an incarnation does is to
    draw its number, and it keeps that however often this is tried again. Raises Fenced
    when a newer one has drawn since: whoever was cut off in the middle of its start may
    come back long after, and must neither end the newer one's sessions nor raise its
    epochs.

    The sessions of other incarnations are ended before the epochs are raised: a frozen
    one would otherwise hold the fence as long as TCP lives.
    """
    await connection.execute(
        """INSERT INTO incarnations (name, shard, number)
           VALUES ($1, $2, nextval('incarnation_numbers'))
           ON CONFLICT (name) DO NOTHING""",
        name,
        shard,
    )
    await _be_newest(connection, shard, name)
    await connection.execute(
        """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE starts_with(application_name, $1) AND application_name <> $2
             AND pid <> pg_backend_pid() AND usename = current_user""",
        name.rsplit(":", 1)[0] + ":",
        name,
    )
    async with connection.transaction():
        # Again, under the slots' locks: a newer one has had them, or waits for them.
        await connection.execute(
            "SELECT FROM slots WHERE shard = $1 ORDER BY slot FOR UPDATE", shard
        )
        await _be_newest(connection, shard, name)
        rows = await connection.fetch(
            """UPDATE slots SET epoch = epoch + 1 WHERE shard = $1
               RETURNING slot, epoch""",
            shard,
        )
        await connection.execute(
            """DELETE FROM incarnations WHERE shard = $1 AND number <
                 (SELECT number FROM incarnations WHERE name = $2) - $3""",
            shard,
            name,
            INCARNATIONS_MAX,
        )
    return {row["slot"]: row["epoch"] for row in rows}


async def check(
    connection: Any,
    shard: int,
    epochs: dict[int, int],
    slots: Iterable[int],
    *,
    lock: bool,
) -> datetime:
    """Raise unless this incarnation still owns `slots`; returns the database's time.

    With `lock` the rows are read FOR SHARE in the batch's own transaction: a plain
    read is no fence, for a newer owner could come between it and the commit.
    """
    wanted = sorted(slots)
    rows = await connection.fetch(
        "SELECT slot, shard, epoch, now() AS now FROM slots WHERE slot = ANY($1) "
        "ORDER BY slot" + (" FOR SHARE" if lock else ""),
        wanted,
    )
    moved = {row["slot"]: row["shard"] for row in rows if row["shard"] != shard}
    if any(
        row["epoch"] != epochs.get(row["slot"])
        for row in rows
        if row["slot"] not in moved
    ):
        raise Fenced
    if moved or len(rows) != len(wanted):
        raise SlotsMoved(moved)
    now: datetime = rows[0]["now"]
    return now


async def owners(connection: Any) -> dict[int, tuple[int, int]]:
    """The whole table: slot → (shard, epoch)."""
    rows = await connection.fetch("SELECT slot, shard, epoch FROM slots")
    return {row["slot"]: (row["shard"], row["epoch"]) for row in rows}


async def _be_newest(connection: Any, shard: int, name: str) -> None:
    newest = await connection.fetchval(
        """SELECT name FROM incarnations WHERE shard = $1
           ORDER BY number DESC LIMIT 1""",
        shard,
    )
    if newest != name:
        raise Fenced
