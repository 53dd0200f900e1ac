"""The last pieces: sold as often as there are, whoever wants them at once."""

import pytest

from bus.inventory import AdjustStock
from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal
from bus.orders import OrderStatus
from tests.contention.crowd import CLIENTS, Crowd, codes, done, each, seeds
from tests.contention.market import Market

PAIRS = CLIENTS // 2


@seeds
@pytest.mark.parametrize("pieces", [1, 7])
async def test_the_last_item_is_sold_as_often_as_there_are_pieces(
    market: Market, crowd: Crowd, pieces: int
) -> None:
    (sku,) = await market.goods(pieces)
    placed = await crowd.at_once([lambda: market.buy((sku, 1))] * CLIENTS)
    assert [one.status for one in placed].count(OrderStatus.CONFIRMED) == pieces
    refused = [one.refusal.code for one in placed if one.refusal]
    assert refused == ["out-of-stock"] * (CLIENTS - pieces)
    await market.check()
    assert await market.stock(sku) == (pieces, pieces)


@seeds
async def test_buyers_of_several_pieces_leave_none_half_reserved(
    market: Market, crowd: Crowd
) -> None:
    (sku,) = await market.goods(40)
    wanted = [crowd.rng.randint(1, 3) for _ in range(CLIENTS)]
    placed = await crowd.at_once(each(lambda n: market.buy((sku, n)), wanted))
    ends = zip(wanted, placed, strict=True)
    sold = sum(n for n, one in ends if one.status is OrderStatus.CONFIRMED)
    short = min(
        n for n, one in zip(wanted, placed, strict=True) if one.refusal is not None
    )
    await market.check()
    assert await market.stock(sku) == (40, sold)
    assert 40 - sold < short or sold == 40


@seeds
async def test_two_rivals_for_the_last_pieces_of_two_lines_cannot_both_lose(
    market: Market, crowd: Crowd
) -> None:
    pairs = [await market.goods(1, 1, shards=(0, 1)) for _ in range(PAIRS)]
    orders = [lines for a, b in pairs for lines in (((a, 1), (b, 1)), ((b, 1), (a, 1)))]
    placed = await crowd.at_once(each(lambda lines: market.buy(*lines), orders))
    won = [one.status is OrderStatus.CONFIRMED for one in placed]
    assert [won[n] + won[n + 1] for n in range(0, 2 * PAIRS, 2)] == [1] * PAIRS
    await market.check()
    for a, b in pairs:
        assert [await market.stock(sku) for sku in (a, b)] == [(1, 1), (1, 1)]


@seeds
async def test_lines_in_every_order_end_without_deadlock_and_sell_what_there_is(
    market: Market, crowd: Crowd
) -> None:
    skus = await market.goods(5, 5, 5, shards=(0, 1, 2))

    async def buy() -> object:
        lines = [(sku, 1) for sku in skus]
        crowd.rng.shuffle(lines)
        return await market.buy(*lines)

    placed = await crowd.at_once([buy] * CLIENTS)
    won = [one.status for one in placed].count(OrderStatus.CONFIRMED)
    assert 1 <= won <= 5
    await market.check()
    assert [await market.stock(sku) for sku in skus] == [(5, won)] * 3


@seeds
async def test_counting_stock_while_it_is_bought_keeps_every_piece(
    market: Market, crowd: Crowd
) -> None:
    (sku,) = await market.goods(30)

    async def count(delta: int) -> int:
        message = AdjustStock(sku=sku, delta=delta, reason="found")
        command_id = new_id()
        await market.ask(message, id=command_id)
        await market.ask(message, id=command_id)  # late, and again
        return delta

    deltas = [crowd.rng.randint(-8, 8) for _ in range(CLIENTS // 2)]
    clients = each(count, deltas)
    clients += [lambda: market.buy((sku, 2))] * (CLIENTS // 2)
    answers = await crowd.at_once(clients)
    assert set(codes(answers)) <= {"below-reserved", "below-zero"}
    changed = sum(one for one in done(answers[: len(deltas)]))
    placed = answers[len(deltas) :]
    assert not any(isinstance(one, Refusal) for one in placed)
    sold = [one.status for one in placed].count(OrderStatus.CONFIRMED)
    await market.check()
    assert await market.stock(sku) == (30 + changed, 2 * sold)
