"""Money that comes after its attempt was given up: booked, and back in full."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal
from bus.kit.values import Money
from bus.payments import (
    ApplyWebhook,
    AttemptStatus,
    GetPayment,
    Outcome,
    PaymentView,
    RefundOrder,
    VoidPayment,
    payment_id_of,
)
from tests.payments.support import Bank, at_bank, charge, settings_for, until
from tests.payments.test_charges import attempts, books, told

S = AttemptStatus
TAKEN = Outcome(status=S.SUCCEEDED, reference="ch_late")


async def declined(s: Any, bank: Bank) -> UUID:
    """An order whose first attempt was declined, and taken all the same."""
    asked = charge("tok_declined")
    assert (await s.ask(asked)).status is S.DECLINED
    (row,) = await s.rows("payments", "SELECT key FROM attempts")
    done = await at_bank(
        bank,
        "UPDATE charges SET status = 'succeeded', captured = amount WHERE key = $1",
        str(row["key"]),
    )
    assert done == "UPDATE 1"
    return asked.order_id


async def said(s: Any, order_id: UUID, attempt: int, outcome: Outcome = TAKEN) -> None:
    await s.ask(ApplyWebhook(order_id=order_id, attempt=attempt, outcome=outcome))


async def shown(s: Any, order_id: UUID) -> PaymentView:
    view: PaymentView = await s.ask(GetPayment(payment_id=payment_id_of(order_id)))
    return view


async def returned(s: Any, order_id: UUID) -> PaymentView:
    """The payment once its late money is back."""

    async def back() -> PaymentView | None:
        view = await shown(s, order_id)
        done = view.refunds and {r.status for r in view.refunds} == {"COMPLETED"}
        return view if done else None

    view: PaymentView = await until(back)
    return view


async def test_the_late_success_of_a_superseded_attempt_goes_back_in_full(
    shop, bank
) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        order_id = await declined(s, bank)
        second = await s.ask(charge(order_id=order_id, attempt=2))
        assert second.status is S.SUCCEEDED
        await asyncio.gather(*(said(s, order_id, 1) for _ in range(3)))
        view = await returned(s, order_id)
        assert await attempts(s) == [(1, "LATE"), (2, "SUCCEEDED")]
        assert (view.status, view.captured.amount) == ("SUCCEEDED", 2 * 1999)
        (refund,) = view.refunds
        assert (refund.attempt, refund.amount) == (1, Money(1999, "USD"))
        lines = await s.rows(
            "payments",
            "SELECT account, amount_minor FROM ledger_lines"
            " WHERE account = 'provider_receivable' ORDER BY amount_minor",
        )
        assert [row["amount_minor"] for row in lines] == [-1999, 1999, 1999]
        charges = await bank.ledger(order_id)
        kept = [r["captured"] - r["refunded"] for r in charges if "captured" in r]
        assert sorted(kept) == [0, 1999]
        assert await told(s) == [
            "payment_failed",
            "payment_succeeded",
            "late_payment_returned",
        ]
        await books(s)


async def test_late_money_beside_an_open_attempt_stops_nobody(shop, bank) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        order_id = await declined(s, bank)
        second = asyncio.create_task(
            s.ask(charge("tok_slow_500", order_id=order_id, attempt=2))
        )
        await asyncio.sleep(0.1)
        await said(s, order_id, 1)
        assert (await second).status is S.SUCCEEDED
        await returned(s, order_id)
        assert await attempts(s) == [(1, "LATE"), (2, "SUCCEEDED")]
        await books(s)


async def test_an_order_may_be_paid_after_late_money_and_refunded_of_its_own(
    shop, bank
) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        order_id = await declined(s, bank)
        await said(s, order_id, 1)
        await returned(s, order_id)
        assert (await shown(s, order_id)).status == "LATE"
        second = await s.ask(charge(order_id=order_id, attempt=2))
        assert second.status is S.SUCCEEDED
        wish = RefundOrder(order_id=order_id, refund_id=new_id(order_id))
        refund = await s.ask(wish)
        assert (refund.status, refund.attempt, refund.amount.amount) == (
            "COMPLETED",
            2,
            1999,
        )
        assert (await shown(s, order_id)).status == "REFUNDED"
        with pytest.raises(Refusal) as refused:
            await s.ask(RefundOrder(order_id=order_id, refund_id=new_id(order_id)))
        assert refused.value.code == "refund-exceeds-capture"
        assert await told(s) == [
            "payment_failed",
            "late_payment_returned",
            "payment_succeeded",
            "refund_completed",
        ]
        (event,) = [
            e for e in await s.events("payments") if "refund_completed" in e["type"]
        ]
        assert event["data"]["refunded"]["amount"] == 1999
        await books(s)


async def test_late_money_that_the_provider_keeps_is_told_of(shop, bank) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        asked = charge("tok_declined")
        await s.ask(asked)
        await said(s, asked.order_id, 1)  # the bank itself knows of no such money

        async def rejected() -> bool:
            return (await told(s))[-1] == "refund_rejected"

        await until(rejected)
        view = await shown(s, asked.order_id)
        assert [refund.status for refund in view.refunds] == ["REJECTED"]
        assert view.captured.amount - view.refunded.amount == 1999


async def test_a_late_hold_is_let_go_once_more(shop, bank) -> None:
    settings = settings_for(bank).changed(capture="shipment")
    async with shop("payments", settings=settings) as s:
        asked = charge("tok_declined")
        await s.ask(asked)
        await said(s, asked.order_id, 1, Outcome(status=S.AUTHORIZED))
        second = await s.ask(charge(order_id=asked.order_id, attempt=2))
        assert second.status is S.AUTHORIZED

        async def gone() -> bool:
            return (await attempts(s))[0] == (1, "VOIDED")

        await until(gone)
        assert await attempts(s) == [(1, "VOIDED"), (2, "AUTHORIZED")]


@pytest.mark.usefixtures("hasty")
async def test_what_was_given_up_is_not_written_off_while_it_may_be_on_its_way(
    shop, bank, monkeypatch
) -> None:
    monkeypatch.setattr("actors.payments.attempts.RESCUE_SECONDS", 0.5)
    async with shop("payments", settings=settings_for(bank)) as s:
        asked = charge("tok_slow_800")
        asking = asyncio.create_task(s.ask(asked))
        await asyncio.sleep(0.2)
        asking.cancel()
        await s.ask(VoidPayment(order_id=asked.order_id))
        await s.kill("payments")
        # As if the ask had not got through to the bank yet.
        sql = "DELETE FROM charges WHERE order_id = $1"
        assert await at_bank(bank, sql, str(asked.order_id)) == "DELETE 1"
        await s.restart("payments")
        await asyncio.sleep(0.4)
        assert await attempts(s) == [(1, "OPEN")]

        async def over() -> bool:
            return await attempts(s) == [(1, "VOIDED")]

        await until(over)
        assert await bank.ledger(asked.order_id) == []
        await books(s)
