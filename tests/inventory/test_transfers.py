"""Transfers: all lines or none, whatever happens in between."""

import asyncio
import itertools
from typing import Any
from uuid import UUID

import pytest

from bus.inventory import (
    CloseWarehouse,
    GetTransfer,
    ListMovements,
    ReserveStock,
    SetThreshold,
    TransferStatus,
    TransferStock,
)
from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal
from tests.inventory.kills import walk
from tests.inventory.support import (
    ADMIN,
    MAIN,
    check_books,
    counted,
    moving,
    opened,
    pieces,
    refusal,
    skus_in_shards,
    told,
)

S = TransferStatus


async def transferred(s, message: TransferStock) -> TransferStatus:
    """How a transfer ends, for its caller and for who looks later."""
    end = await s.ask(message, timeout_seconds=25.0, join=True)
    view = await s.ask(GetTransfer(transfer_id=message.transfer_id))
    assert view.status is end.status
    assert view.refused_because == (end.refusal.code if end.refusal else None)
    return TransferStatus(end.status)


async def test_one_line_is_moved_in_one_step_with_two_movements(shop) -> None:
    async with shop("inventory") as s:
        east = await opened(s, "EAST")
        await counted(s, "A", 5)
        move = moving(east, ("A", 3))
        assert await transferred(s, move) is S.COMPLETED
        assert await pieces(s, "A") == {MAIN: (2, 0), east: (3, 0)}
        into, out = (await s.ask(ListMovements(sku="A", limit=2))).items
        assert (out.kind, out.warehouse_id) == ("TRANSFER_OUT", MAIN)
        assert (out.on_hand_before, out.on_hand_after) == (5, 2)
        assert (into.kind, into.warehouse_id) == ("TRANSFER_IN", east)
        assert (into.on_hand_before, into.on_hand_after) == (0, 3)
        for one in (out, into):
            assert (one.reason, one.actor_id) == ("relocation", ADMIN)
            assert one.transfer_id == move.transfer_id
        assert await told(s, "A") == [
            "stock_adjusted",
            "stock_replenished",
            "stock_adjusted",
            "stock_adjusted",
        ]
        await check_books(s)


@pytest.mark.parametrize("lines", [1, 3])
async def test_a_transfer_asked_for_twice_moves_once(shop, lines) -> None:
    async with shop("inventory", shards=3) as s:
        east = await opened(s, "EAST")
        skus = skus_in_shards(3)[:lines]
        for sku in skus:
            await counted(s, sku, 5)
        move = moving(east, *((sku, 2) for sku in skus))
        command_id = new_id()
        ends = await asyncio.gather(
            *(s.ask(move, id=command_id, join=True) for _ in range(3))
        )
        ends.append(await s.ask(move, id=command_id))
        ends.append(await s.ask(move, id=new_id()))  # its own id makes it one, too
        assert {end.status for end in ends} == {S.COMPLETED}
        for sku in skus:
            assert await pieces(s, sku) == {MAIN: (3, 0), east: (2, 0)}
        await check_books(s)


async def test_only_what_is_not_promised_can_be_moved_and_all_short_lines_are_named(
    shop,
) -> None:
    async with shop("inventory", shards=3) as s:
        east = await opened(s, "EAST")
        a, b, c = skus_in_shards(3)
        for sku in (a, b, c):
            await counted(s, sku, 5)
        for sku in (a, b):
            await s.ask(ReserveStock(order_id=new_id(), sku=sku, quantity=3))
        before = {sku: await pieces(s, sku) for sku in (a, b, c)}
        move = moving(east, (a, 3), (b, 4), (c, 5))
        end = await s.ask(move)
        assert (end.status, end.refusal.code) == (
            S.REFUSED,
            "transfer-exceeds-available",
        )
        assert [(e.field, e.detail) for e in end.refusal.errors] == [
            (a, "2 available"),
            (b, "2 available"),
        ]
        assert {sku: await pieces(s, sku) for sku in (a, b, c)} == before
        assert await transferred(s, moving(east, (a, 3))) is S.REFUSED
        assert await transferred(s, moving(east, (a, 2))) is S.COMPLETED
        assert await transferred(s, moving(east, ("NEVER", 1))) is S.REFUSED
        await check_books(s)


async def test_what_cannot_be_a_transfer_is_refused_and_makes_none(shop) -> None:
    async with shop("inventory") as s:
        await counted(s, "A", 5)
        assert await refusal(s, moving(MAIN, ("A", 1))) == "same-warehouse"
        for one in (
            moving(new_id(), ("A", 1)),
            moving(MAIN, ("A", 1), out_of=new_id()),
            GetTransfer(transfer_id=new_id()),
        ):
            assert await refusal(s, one) == "not-found"
        assert await s.rows("inventory", "SELECT FROM transfers") == []


async def test_what_only_moves_alarms_nobody(shop) -> None:
    async with shop("inventory", shards=3) as s:
        east = await opened(s, "EAST")
        skus = skus_in_shards(3)
        for sku in skus:
            await counted(s, sku, 5)
            await s.ask(SetThreshold(sku=sku, threshold=2))
        move = moving(east, *((sku, 5) for sku in skus))
        assert await transferred(s, move) is S.COMPLETED
        assert await transferred(s, moving(east, (skus[0], 1))) is S.REFUSED
        for sku in skus:
            alerts = ("stock_low", "stock_sold_out", "stock_replenished")
            assert await told(s, sku, *alerts) == ["stock_replenished"]
        await check_books(s)


@pytest.mark.parametrize("shards", [1, 3])
async def test_fifty_who_move_and_buy_the_same_pieces_end_right(shop, shards) -> None:
    async with shop("inventory", shards=shards) as s:
        east = await opened(s, "EAST")
        skus = skus_in_shards(3)
        for sku in skus:
            await counted(s, sku, 20)
            await counted(s, sku, 20, east)

        def act(n: int) -> Any:
            to, out_of = (east, MAIN) if n % 2 else (MAIN, east)
            if n % 5 == 0:
                return ReserveStock(order_id=new_id(), sku=skus[n % 3], quantity=7)
            lines = [(sku, 1 + n % 6) for sku in skus[: 1 + n % 3]]
            return moving(to, *lines, out_of=out_of)

        ends = await asyncio.gather(
            *(s.ask(act(n), timeout_seconds=25.0) for n in range(50)),
            return_exceptions=True,
        )
        codes = {e.code for e in ends if isinstance(e, Refusal)}
        assert codes <= {"out-of-stock"}
        assert all(isinstance(e, Refusal) or not isinstance(e, Exception) for e in ends)
        for sku in skus:
            assert sum(on_hand for on_hand, _ in (await pieces(s, sku)).values()) == 40
        under_way = "SELECT FROM transfers WHERE status = 'IN_TRANSIT'"
        assert await s.rows("inventory", under_way) == []
        await check_books(s)
        counter = "SELECT deadlocks FROM pg_stat_database WHERE datname = $1"
        name = s.urls["inventory"].rsplit("/", 1)[1]
        assert (await s.rows("inventory", counter, name))[0]["deadlocks"] == 0


async def test_a_warehouse_with_a_transfer_under_way_does_not_close(shop) -> None:
    async with shop("inventory", shards=3) as s:
        east, west = await opened(s, "EAST"), await opened(s, "WEST")
        connection = await s.database("inventory")
        await connection.execute(
            """INSERT INTO transfers VALUES ($1, $2, $3, 'IN_TRANSIT', '{"A": 1}', 'x',
                 NULL, NULL, 1, now(), now())""",
            new_id(),
            west,
            east,
        )
        for end in (east, west):
            code = await refusal(s, CloseWarehouse(warehouse_id=end))
            assert code == "warehouse-in-use"
        await connection.execute("UPDATE transfers SET status = 'COMPLETED'")
        await s.ask(CloseWarehouse(warehouse_id=east))


# --- killed between any two steps --------------------------------------------

COMMITS_MAX = 25


async def walk_transfer(s, skus: list[str], wanted: int, *, after: bool) -> int:
    """Move `wanted` of each SKU to and fro, killed one commit later each time."""
    east = await opened(s, "EAST")
    for sku in skus:
        await counted(s, sku, 20)
        await counted(s, sku, 20, east)
    await counted(s, skus[-1], 5)  # the last one may be short
    ways = itertools.cycle([(MAIN, east), (east, MAIN)])
    where: dict[str, dict[UUID, int]] = {
        sku: {MAIN: 20, east: 20} for sku in skus[:-1]
    } | {skus[-1]: {MAIN: 5, east: 20}}

    async def act() -> None:
        out_of, to = next(ways)
        move = moving(to, *((sku, wanted) for sku in skus), out_of=out_of)
        short = any(where[sku][out_of] < wanted for sku in skus)
        assert await transferred(s, move) is (S.REFUSED if short else S.COMPLETED)
        for sku in skus:
            where[sku][out_of] -= 0 if short else wanted
            where[sku][to] += 0 if short else wanted

    async def check() -> None:
        for sku in skus:
            expected = {key: (n, 0) for key, n in where[sku].items()}
            assert await pieces(s, sku) == expected
        await check_books(s)

    return await walk(s, act, check, after=after, commits_max=COMMITS_MAX)


@pytest.mark.parametrize(
    "after",
    [pytest.param(False, marks=pytest.mark.full), True],
    ids=["before", "after"],
)
async def test_a_transfer_survives_a_kill_between_any_two_steps(shop, after) -> None:
    async with shop("inventory") as s:
        assert await walk_transfer(s, ["A", "B"], 3, after=after) >= 4


@pytest.mark.full
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize(
    ("lines", "wanted"),
    [(1, 2), (3, 3), (3, 7), (3, 99)],
    ids=["single", "moved", "to and fro", "short"],
)
async def test_every_transfer_survives_a_kill_between_any_two_steps(
    shop, lines, wanted, shards, after
) -> None:
    async with shop("inventory", shards=shards) as s:
        skus = skus_in_shards(3)[:lines]
        assert await walk_transfer(s, skus, wanted, after=after) >= 3
