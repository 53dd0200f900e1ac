"""Pieces that go between warehouses while everybody else wants them too."""

from typing import Any
from uuid import UUID

from bus.inventory import (
    CreateWarehouse,
    ListWarehouses,
    TransferLine,
    TransferStatus,
    TransferStock,
)
from bus.kit.addressing import new_id
from bus.orders import OrderStatus
from tests.contention.crowd import CLIENTS, Crowd, codes, each, seeds
from tests.contention.market import Market

BUYERS = CLIENTS // 2
PIECES = 40


async def warehouses(market: Market) -> tuple[UUID, UUID]:
    """The first warehouse, and a new one."""
    main = (await market.ask(ListWarehouses())).items[0].id
    branch = new_id()
    name = f"B-{branch.hex[-10:]}".upper()
    await market.ask(CreateWarehouse(warehouse_id=branch, code=name, name="Branch"))
    return main, branch


@seeds
async def test_transfers_to_and_fro_beside_buyers_keep_every_piece(
    market: Market, crowd: Crowd
) -> None:
    main, branch = await warehouses(market)
    skus = await market.goods(PIECES, PIECES, PIECES, shards=(0, 1, 2))

    async def move(number: int) -> TransferStatus:
        there = (main, branch) if number % 2 else (branch, main)
        lines = [
            TransferLine(sku=sku, quantity=crowd.rng.randint(1, 6))
            for sku in crowd.rng.sample(skus, crowd.rng.randint(1, 3))
        ]
        message = TransferStock(
            transfer_id=new_id(),
            from_warehouse_id=there[0],
            to_warehouse_id=there[1],
            lines=tuple(lines),
            reason="balance",
        )
        command_id = new_id(message.transfer_id)
        end = await market.ask(message, id=command_id)
        assert await market.ask(message, id=command_id) == end  # late, and again
        return TransferStatus(end.status)

    async def buy() -> Any:
        lines = [(sku, crowd.rng.randint(1, 2)) for sku in skus]
        crowd.rng.shuffle(lines)
        return lines, await market.buy(*lines)

    assert await move(1) is TransferStatus.COMPLETED  # alone it is never refused
    clients = [*each(move, range(CLIENTS)), *[buy] * BUYERS]
    answers = await crowd.at_once(clients)
    assert codes(answers) == []
    ends = {TransferStatus.COMPLETED, TransferStatus.REFUSED}
    assert set(answers[:CLIENTS]) <= ends  # who of them wins is left to chance
    await market.check()
    sold = dict.fromkeys(skus, 0)
    for lines, placed in answers[CLIENTS:]:
        if placed.status is OrderStatus.CONFIRMED:
            for sku, pieces in lines:
                sold[sku] += pieces
        else:
            assert placed.refusal.code == "out-of-stock"
    for sku in skus:
        assert await market.stock(sku) == (PIECES, sold[sku])


@seeds
async def test_fifty_transfers_of_the_same_pieces_move_them_once(
    market: Market, crowd: Crowd
) -> None:
    main, branch = await warehouses(market)
    first, second = await market.goods(6, 6, shards=(0, 1))

    async def move(number: int) -> TransferStatus:
        lines = (first, second) if number % 2 else (second, first)
        message = TransferStock(
            transfer_id=new_id(),
            from_warehouse_id=main,
            to_warehouse_id=branch,
            lines=tuple(TransferLine(sku=sku, quantity=6) for sku in lines),
            reason="close",
        )
        end = await market.ask(message, id=new_id(message.transfer_id))
        return TransferStatus(end.status)

    ends = await crowd.at_once(each(move, range(CLIENTS)))
    moved = ends.count(TransferStatus.COMPLETED)
    assert moved <= 1
    assert ends.count(TransferStatus.REFUSED) == CLIENTS - moved
    await market.check()
    for sku in (first, second):
        assert await market.stock(sku) == (6, 0)
        rows = await market.shop.rows(
            "inventory",
            "SELECT on_hand FROM stock WHERE sku = $1 AND warehouse_id = $2",
            sku,
            branch,
        )
        assert sum(row["on_hand"] for row in rows) == 6 * moved
