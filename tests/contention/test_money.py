"""Fifty refunds at once: never more than was taken, exact to the cent in both books."""

from typing import Any
from uuid import UUID

from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal
from bus.kit.values import Money
from bus.orders.steps import LookAtPayment
from bus.payments import ApplyWebhook, AttemptStatus, Outcome, RefundOrder
from tests.contention.crowd import CLIENTS, Crowd, codes, done, each, seeds
from tests.contention.market import Market

PRICE = 1000  # of every piece, in cents


async def paid_order(market: Market, pieces: int) -> UUID:
    """A confirmed order of so many pieces."""
    (sku,) = await market.goods(pieces)
    return (await market.buy((sku, pieces))).order_id


def refund(order_id: UUID, amount: int | None) -> RefundOrder:
    """A refund of its own of so many cents; None: of all that is left."""
    return RefundOrder(
        order_id=order_id,
        refund_id=new_id(order_id),
        amount=None if amount is None else Money(amount, "USD"),
        reason="broken",
    )


@seeds
async def test_fifty_partial_refunds_never_pass_the_capture(
    market: Market, crowd: Crowd
) -> None:
    order_id = await paid_order(market, 100)
    amounts = [crowd.rng.randint(1, 7_999) for _ in range(CLIENTS)]
    assert sum(amounts) > 100 * PRICE

    async def give_back(amount: int) -> Any:
        message = refund(order_id, amount)
        for _ in range(crowd.rng.randint(1, 2)):  # some send it again
            found = await market.ask(message, id=message.refund_id)
            await crowd.pause()
        return found

    answers = await crowd.at_once(each(give_back, amounts))
    assert set(codes(answers)) == {"refund-exceeds-capture"}
    given = sum(one.amount.amount for one in done(answers))
    refused = [
        n for n, one in zip(amounts, answers, strict=True) if isinstance(one, Refusal)
    ]
    # What is left only falls, so whatever was refused once would be refused now.
    assert 0 <= 100 * PRICE - given < min(refused)
    await market.check()
    payment = await market.payment(order_id)
    assert payment.refunded.amount == given
    assert await bank_gave(market, order_id) == given
    assert await ledger_gave(market, order_id) == given


@seeds
async def test_refunds_of_one_size_are_as_many_as_fit(
    market: Market, crowd: Crowd
) -> None:
    order_id = await paid_order(market, 10)
    messages = [refund(order_id, 3 * PRICE // 4) for _ in range(CLIENTS)]
    answers = await crowd.at_once(
        each(lambda m: market.ask(m, id=m.refund_id), messages)
    )
    assert len(done(answers)) == 13
    assert codes(answers) == ["refund-exceeds-capture"] * (CLIENTS - 13)
    await market.check()
    assert await bank_gave(market, order_id) == 13 * 750
    rest = await market.ask(refund(order_id, None))
    assert rest.amount == Money(250, "USD")
    await market.check()
    assert await bank_gave(market, order_id) == 10 * PRICE


@seeds
async def test_one_of_fifty_refunds_of_all_that_is_left_gets_it(
    market: Market, crowd: Crowd
) -> None:
    order_id = await paid_order(market, 3)
    messages = [refund(order_id, None) for _ in range(CLIENTS)]
    answers = await crowd.at_once(
        each(lambda m: market.ask(m, id=m.refund_id), messages)
    )
    assert [one.amount for one in done(answers)] == [Money(3 * PRICE, "USD")]
    await market.check()
    (order,) = await market.shop.rows(
        "orders", "SELECT status, refunded_amount FROM orders WHERE id = $1", order_id
    )
    assert order == {"status": "REFUNDED", "refunded_amount": 3 * PRICE}


@seeds
async def test_a_webhook_that_comes_fifty_times_settles_once(
    market: Market, crowd: Crowd
) -> None:
    (sku,) = await market.goods(3)
    placed = await market.buy((sku, 3), token="tok_pending_1")
    order_id = placed.order_id
    paid = Outcome(status=AttemptStatus.SUCCEEDED, reference="late")
    word = ApplyWebhook(order_id=order_id, attempt=1, outcome=paid)
    # The provider's own repetitions have one id; what it says anew has another.
    ids = [new_id(order_id) for _ in range(3)]

    async def deliver(number: int) -> None:
        await market.ask(word, id=ids[number % 3], join=True)
        await market.ask(LookAtPayment(order_id=order_id), id=new_id(order_id))

    assert codes(await crowd.at_once(each(deliver, range(CLIENTS)))) == []
    await market.check()
    (order,) = await market.orders(sku)
    assert order["status"] == "CONFIRMED"
    payment = await market.payment(order_id)
    assert payment.captured == Money(3 * PRICE, "USD")
    told = await market.shop.events("payments")
    assert [e["type"] for e in told if e["subject"] == str(payment.id)] == [
        "payments.payment_authorized.v1",
        "payments.payment_succeeded.v1",
        "payments.payment_settled.v1",
    ]
    assert await market.stock(sku) == (3, 3)


async def bank_gave(market: Market, order_id: UUID) -> int:
    """What the bank says that it gave back of an order."""
    rows = await market.bank.ledger(order_id)
    return sum(row["amount"] for row in rows if "charge_key" in row)


async def ledger_gave(market: Market, order_id: UUID) -> int:
    """What our own ledger says that went back of an order."""
    payment = await market.payment(order_id)
    (row,) = await market.shop.rows(
        "payments",
        """SELECT sum(amount_minor)::bigint AS given FROM ledger_lines
           WHERE payment_id = $1 AND account = 'sales' AND amount_minor > 0""",
        payment.id,
    )
    return int(row["given"])
