"""Refunds: never more than was captured, each once, whatever the bank does."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal
from bus.kit.values import Money
from bus.payments import GetPayment, RefundOrder, SettleRefund, payment_id_of
from tests.payments.support import at_bank, charge, insist, settings_for, until
from tests.payments.test_charges import books, told


def refund(order_id: UUID, amount: int | None = None, **fields: Any) -> RefundOrder:
    money = None if amount is None else Money(amount, "USD")
    values = {"refund_id": new_id(order_id), "reason": "asked for", **fields}
    return RefundOrder(order_id=order_id, amount=money, **values)


async def paid(s: Any, amount: int = 1000) -> UUID:
    asked = charge(amount=Money(amount, "USD"))
    assert (await s.ask(asked)).status == "SUCCEEDED"
    return asked.order_id


async def refunded_at_the_bank(bank: Any, order_id: UUID) -> int:
    rows = await bank.ledger(order_id)
    charges = [row for row in rows if row["type"] == "charge"]
    return sum(row["refunded"] for row in charges)


async def test_a_whole_refund_gives_everything_back(shop, bank) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        order_id = await paid(s)
        by = new_id()
        view = await s.ask(refund(order_id, actor_id=by))
        assert (view.status, view.amount) == ("COMPLETED", Money(1000, "USD"))
        assert (view.reason, view.actor_id) == ("", by)
        payment = await s.ask(GetPayment(payment_id=payment_id_of(order_id)))
        assert (payment.status, payment.refunded.amount) == ("REFUNDED", 1000)
        (kept,) = payment.refunds
        assert (kept.reason, kept.actor_id) == ("asked for", by)
        assert await refunded_at_the_bank(bank, order_id) == 1000
        assert await told(s) == ["payment_succeeded", "refund_completed"]
        await books(s)


async def test_a_refund_twice_late_and_overlapping_is_one_refund(shop, bank) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        order_id = await paid(s)
        asked, command_id = refund(order_id, 300), new_id(order_id)
        views = await asyncio.gather(
            *(s.ask(asked, id=command_id, join=True) for _ in range(3)),
            *(s.ask(asked, join=True) for _ in range(3)),
        )
        late = await s.ask(asked, id=command_id)
        assert {view.id for view in (*views, late)} == {asked.refund_id}
        assert {view.status for view in (*views, late)} == {"COMPLETED"}
        assert await refunded_at_the_bank(bank, order_id) == 300
        await books(s)


@pytest.mark.parametrize("shards", [1, 3])
async def test_parallel_refunds_never_pass_the_capture(shop, bank, shards) -> None:
    async with shop("payments", shards=shards, settings=settings_for(bank)) as s:
        order_id = await paid(s)
        ends = await asyncio.gather(
            *(s.ask(refund(order_id, 150)) for _ in range(50)), return_exceptions=True
        )
        good = [end for end in ends if not isinstance(end, Exception)]
        assert len(good) == 6
        codes = {end.code for end in ends if isinstance(end, Refusal)}
        assert codes == {"refund-exceeds-capture"}
        assert (await s.ask(refund(order_id))).amount == Money(100, "USD")
        assert await refunded_at_the_bank(bank, order_id) == 1000
        await books(s)


async def test_a_refund_with_other_data_is_refused(shop, bank) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        order_id = await paid(s)
        asked = refund(order_id, 100)
        await s.ask(asked)
        with pytest.raises(Refusal) as refused:
            await s.ask(refund(order_id, 200, refund_id=asked.refund_id))
        assert refused.value.code == "idempotency-key-reused"
        assert await refunded_at_the_bank(bank, order_id) == 100


async def test_an_unpaid_order_has_nothing_to_give_back(shop, bank) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        with pytest.raises(Refusal) as refused:
            await s.ask(refund(new_id()))
        assert refused.value.code == "not-found"
        declined = charge("tok_declined")
        await s.ask(declined)
        with pytest.raises(Refusal) as refused:
            await s.ask(refund(declined.order_id))
        assert refused.value.code == "refund-exceeds-capture"


@pytest.mark.usefixtures("hasty")
async def test_a_silent_bank_leaves_a_refund_pending_until_it_speaks(
    shop, bank
) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        order_id = await paid(s)
        await bank.faults(silent=True)
        view = await s.ask(refund(order_id))
        assert view.status == "PENDING"
        with pytest.raises(Refusal):
            await s.ask(refund(order_id, 1))
        await bank.faults()
        payment_id = payment_id_of(order_id)

        async def back() -> bool:
            payment = await s.ask(GetPayment(payment_id=payment_id))
            return bool(payment.status == "REFUNDED")

        await until(back)
        assert await refunded_at_the_bank(bank, order_id) == 1000
        assert await told(s) == ["payment_succeeded", "refund_completed"]
        await books(s)


@pytest.mark.parametrize("after_seconds", [0.0, 0.02, 0.1])
@pytest.mark.usefixtures("hasty")
async def test_a_shard_killed_during_a_refund_gives_back_once(
    shop, bank, after_seconds
) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        order_id = await paid(s)
        await bank.faults(latency_ms=200)
        waiting = asyncio.create_task(insist(s, refund(order_id)))
        await asyncio.sleep(after_seconds)
        await s.kill("payments")
        await s.restart("payments")
        assert (await waiting).status in ("COMPLETED", "PENDING")
        payment_id = payment_id_of(order_id)

        async def back() -> bool:
            payment = await s.ask(GetPayment(payment_id=payment_id))
            return bool(payment.status == "REFUNDED")

        await until(back)
        assert await refunded_at_the_bank(bank, order_id) == 1000
        await books(s)


async def test_a_rejected_refund_is_told_and_its_amount_is_free_again(
    shop, bank
) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        order_id = await paid(s)
        given = "UPDATE charges SET refunded = $2 WHERE order_id = $1"
        await at_bank(bank, given, str(order_id), 900)  # by hand, at the bank
        view = await s.ask(refund(order_id, 300))
        assert view.status == "REJECTED"
        payment = await s.ask(GetPayment(payment_id=payment_id_of(order_id)))
        assert (payment.status, payment.refunded.amount) == ("SUCCEEDED", 0)
        assert await told(s) == ["payment_succeeded", "refund_rejected"]
        await at_bank(bank, given, str(order_id), 0)
        assert (await s.ask(refund(order_id))).amount == Money(1000, "USD")
        await books(s)


async def test_a_refund_that_is_said_to_be_absent_while_it_is_under_way_goes_back_once(
    shop, bank, monkeypatch
) -> None:
    async def absent(*_: Any) -> None:
        return None

    monkeypatch.setattr("actors.payments.sandbox.Sandbox.find_refund", absent)
    async with shop("payments", settings=settings_for(bank)) as s:
        order_id = await paid(s)
        await bank.faults(latency_ms=300)
        asked = refund(order_id, 400)
        first = asyncio.create_task(s.ask(asked))
        await asyncio.sleep(0.1)
        again = SettleRefund(order_id=order_id, refund_id=asked.refund_id)
        await asyncio.gather(*(s.ask(again) for _ in range(3)))
        assert (await first).status == "COMPLETED"
        assert await refunded_at_the_bank(bank, order_id) == 400
        assert await told(s) == ["payment_succeeded", "refund_completed"]
        await books(s)


async def test_a_payment_over_nats_is_taken_at_once_also_where_orders_are_held(
    shop, bank
) -> None:
    settings = settings_for(bank).changed(capture="shipment")
    async with shop("payments", settings=settings) as s:
        assert (await s.ask(charge(at_once=True))).status == "SUCCEEDED"
        assert (await s.ask(charge())).status == "AUTHORIZED"
