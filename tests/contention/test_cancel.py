"""Cancelling against everything else that happens to an order: one of the two wins."""

from typing import Any
from uuid import UUID

from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal
from bus.orders import CancelOrder, Viewer
from bus.orders.steps import LookAtPayment
from bus.payments import ApplyWebhook, AttemptStatus, Outcome
from tests.contention.crowd import CLIENTS, Crowd, codes, done, seeds
from tests.contention.market import ADMIN, Market

PENDING = "tok_pending_1"
ORDERS = CLIENTS // 2


async def cancel(market: Market, order_id: UUID, viewer: Viewer = ADMIN) -> None:
    """Cancel, as a client that asks for the first time."""
    await market.ask(CancelOrder(order_id=order_id, viewer=viewer), id=new_id(order_id))


@seeds
async def test_of_cancel_and_ship_exactly_one_wins(
    market: Market, crowd: Crowd
) -> None:
    (sku,) = await market.goods(2 * ORDERS)
    placed = await crowd.at_once([lambda: market.buy((sku, 2))] * ORDERS)
    ids = [one.order_id for one in placed]
    clients: list[Any] = []
    for order_id in ids:
        clients.append(lambda o=order_id: cancel(market, o))
        clients.append(lambda o=order_id: market.ship(o))
    answers = await crowd.at_once(clients)
    await market.check()
    rows = {row["id"]: row for row in await market.orders(sku)}
    shipped = 0
    for number, order_id in enumerate(ids):
        cancelled, sent = answers[2 * number : 2 * number + 2]
        payment = await market.payment(order_id)
        if isinstance(cancelled, Refusal):
            assert (cancelled.code, sent) == ("not-cancellable", sent)
            assert not isinstance(sent, Refusal)
            assert rows[order_id]["status"] == "SHIPPED"
            assert (payment.captured.amount, payment.refunded.amount) == (2000, 0)
            shipped += 1
        else:
            assert sent.code == "invalid-transition"
            assert rows[order_id]["status"] == "CANCELLED"
            assert (payment.captured.amount, payment.refunded.amount) == (2000, 2000)
    assert await market.stock(sku) == (2 * (ORDERS - shipped), 0)


@seeds
async def test_an_order_is_shipped_or_cancelled_as_soon_as_it_is_answered(
    market: Market, crowd: Crowd
) -> None:
    (sku,) = await market.goods(2 * CLIENTS)
    ends: list[str] = []

    async def buy_and_move() -> None:
        order_id = (await market.buy((sku, 2))).order_id
        if crowd.rng.random() < 0.5:
            await market.ship(order_id)
            ends.append("SHIPPED")
        else:
            await cancel(market, order_id)
            ends.append("CANCELLED")

    assert codes(await crowd.at_once([buy_and_move] * CLIENTS)) == []
    await market.check()
    statuses = [row["status"] for row in await market.orders(sku)]
    assert sorted(statuses) == sorted(ends)
    left = 2 * statuses.count("CANCELLED")
    assert await market.stock(sku) == (left, 0)


@seeds
async def test_of_fifty_cancels_of_one_order_one_acts(
    market: Market, crowd: Crowd
) -> None:
    (sku,) = await market.goods(5)
    order_id = (await market.buy((sku, 3))).order_id
    answers = await crowd.at_once([lambda: cancel(market, order_id)] * CLIENTS)
    assert len(done(answers)) == 1
    assert codes(answers) == ["not-cancellable"] * (CLIENTS - 1)
    await market.check()
    assert await market.stock(sku) == (5, 0)
    payment = await market.payment(order_id)
    assert [refund.amount.amount for refund in payment.refunds] == [3000]


@seeds
async def test_a_cancel_that_is_sent_fifty_times_is_answered_fifty_times(
    market: Market, crowd: Crowd
) -> None:
    (sku,) = await market.goods(5)
    order_id = (await market.buy((sku, 3))).order_id
    message = CancelOrder(order_id=order_id, viewer=ADMIN)
    command_id = new_id(order_id)
    answers = await crowd.at_once(
        [lambda: market.ask(message, id=command_id, join=True)] * CLIENTS
    )
    assert codes(answers) == []
    await market.check()
    assert await market.stock(sku) == (5, 0)


@seeds
async def test_money_that_comes_while_an_order_is_cancelled_goes_back(
    market: Market, crowd: Crowd
) -> None:
    (sku,) = await market.goods(2 * ORDERS)
    placed = await crowd.at_once([lambda: market.buy((sku, 2), token=PENDING)] * ORDERS)
    ids = [one.order_id for one in placed]

    async def settle(order_id: UUID) -> None:
        paid = Outcome(status=AttemptStatus.SUCCEEDED, reference=None)
        message = ApplyWebhook(order_id=order_id, attempt=1, outcome=paid)
        await market.ask(message, id=new_id(order_id))
        await crowd.pause()
        await market.ask(LookAtPayment(order_id=order_id), id=new_id(order_id))

    clients: list[Any] = []
    for order_id in ids:
        clients.append(lambda o=order_id: cancel(market, o))
        clients.append(lambda o=order_id: settle(o))
    answers = await crowd.at_once(clients)
    assert codes(answers) == []
    await market.check()
    rows = await market.orders(sku)
    assert [row["status"] for row in rows] == ["CANCELLED"] * ORDERS
    assert await market.stock(sku) == (2 * ORDERS, 0)
    for order_id in ids:
        payment = await market.payment(order_id)
        assert (payment.captured.amount, payment.refunded.amount) == (2000, 2000)
