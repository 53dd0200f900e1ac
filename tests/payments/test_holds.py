"""Held money: captured or let go, once, and exactly one of the two."""

import asyncio
import datetime as dt
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from actors.payments import Payments
from actors.payments.charging import begin_attempt
from actors.payments.holding import begin_capture
from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal
from bus.kit.settings import Settings
from bus.kit.values import Money
from bus.payments import (
    ApplyWebhook,
    AttemptStatus,
    CapturePayment,
    GetPayment,
    Outcome,
    RefundOrder,
    VoidPayment,
    payment_id_of,
)
from tests.payments.support import Bank, charge, settings_for, until
from tests.payments.test_charges import attempts, books, timers, told

S = AttemptStatus


def shipping(bank: Bank) -> Settings:
    """The settings of a shop that captures at shipment."""
    return settings_for(bank).changed(capture="shipment")


async def held(s: Any, token: str = "tok_visa") -> UUID:
    asked = charge(token)
    assert (await s.ask(asked)).status is S.AUTHORIZED
    return asked.order_id


async def ends(s: Any, *asked: Any) -> list[Any]:
    """How asks at the same time end: a status, or a refusal's code."""
    found = await asyncio.gather(*map(s.ask, asked), return_exceptions=True)
    return [e.code if isinstance(e, Refusal) else e.status for e in found]


async def at_the_bank(bank: Bank, order_id: UUID) -> tuple[str, int, int]:
    (row,) = [r for r in await bank.ledger(order_id) if r["type"] == "charge"]
    return row["status"], row["captured"], row["refunded"]


async def comes_to(s: Any, order_id: UUID, status: str, seconds: float = 10) -> None:
    async def there() -> bool:
        view = await s.ask(GetPayment(payment_id=payment_id_of(order_id)))
        return bool(view.status == status)

    await until(there, seconds)


async def test_money_is_held_first_and_taken_once(shop, bank) -> None:
    async with shop("payments", settings=shipping(bank)) as s:
        order_id = await held(s)
        assert await at_the_bank(bank, order_id) == ("authorized", 0, 0)
        view = await s.ask(GetPayment(payment_id=payment_id_of(order_id)))
        assert (view.status, view.authorized.amount) == ("AUTHORIZED", 1999)
        assert (view.captured.amount, view.attempts[0].authorized.amount) == (0, 1999)
        assert await s.rows("payments", "SELECT * FROM ledger_lines") == []
        (row,) = await s.rows("payments", "SELECT * FROM attempts")
        assert row["sealed"] is None and row["hold"]
        capture = CapturePayment(order_id=order_id)
        assert set(await ends(s, *[capture] * 5)) == {S.SUCCEEDED}
        assert await ends(s, capture) == [S.SUCCEEDED]
        assert await at_the_bank(bank, order_id) == ("succeeded", 1999, 0)
        view = await s.ask(GetPayment(payment_id=payment_id_of(order_id)))
        assert (view.status, view.authorized.amount) == ("SUCCEEDED", 0)
        assert view.captured == Money(1999, "USD")
        assert await told(s) == ["payment_authorized", "payment_succeeded"]
        assert await timers(s) == []
        await books(s)


async def test_held_money_is_let_go_once_and_never_taken(shop, bank) -> None:
    async with shop("payments", settings=shipping(bank)) as s:
        order_id = await held(s)
        void = VoidPayment(order_id=order_id)
        found = await ends(s, *[void] * 5)
        assert set(found) <= {S.VOIDED, S.VOIDING} and S.VOIDED in found
        assert await ends(s, void, CapturePayment(order_id=order_id)) == [
            S.VOIDED,
            "payment-voided",
        ]
        assert await at_the_bank(bank, order_id) == ("voided", 0, 0)
        assert await told(s) == [
            "payment_authorized",
            "payment_voided",
        ]
        assert await s.rows("payments", "SELECT * FROM ledger_lines") == []
        with pytest.raises(Refusal) as refused:
            await s.ask(RefundOrder(order_id=order_id, refund_id=new_id(order_id)))
        assert refused.value.code == "refund-exceeds-capture"
        again = await s.ask(charge(order_id=order_id, attempt=2))
        assert again.status is S.AUTHORIZED


@pytest.mark.parametrize("shards", [pytest.param(1, marks=pytest.mark.full), 3])
async def test_of_a_capture_and_a_void_exactly_one_wins(shop, bank, shards) -> None:
    async with shop("payments", shards=shards, settings=shipping(bank)) as s:
        orders = [await held(s) for _ in range(12)]
        pairs = [
            (CapturePayment(order_id=o), VoidPayment(order_id=o))[:: 1 - 2 * (n % 2)]
            for n, o in enumerate(orders)
        ]
        await asyncio.gather(*(ends(s, *pair) for pair in pairs))

        async def at_rest() -> bool:
            return not await timers(s)

        await until(at_rest)
        for order_id in orders:
            status, captured, refunded = await at_the_bank(bank, order_id)
            view = await s.ask(GetPayment(payment_id=payment_id_of(order_id)))
            attempt = view.attempts[0].status
            # Given up while it was being taken: taken, and back in full.
            kept = captured - refunded
            assert (attempt, kept) in (
                (S.SUCCEEDED, 1999),
                (S.VOIDED, 0),
                (S.LATE, 0),
            ), status
            assert view.captured.amount - view.refunded.amount == kept
        await books(s)


@pytest.mark.parametrize(
    ("move", "end"),
    [(CapturePayment, "SUCCEEDED"), (VoidPayment, "VOIDED")],
    ids=["capture", "void"],
)
@pytest.mark.parametrize(
    "faults",
    [
        {"silent": True},
        pytest.param({"error_rate": 1.0}, marks=pytest.mark.full),
        pytest.param({"wrong": "status"}, marks=pytest.mark.full),
    ],
)
@pytest.mark.usefixtures("hasty")
async def test_a_move_whose_outcome_is_unknown_is_asked_again(
    shop, bank, move, end, faults
) -> None:
    async with shop("payments", settings=shipping(bank)) as s:
        order_id = await held(s)
        await bank.faults(**faults)
        waits = {"SUCCEEDED": S.CAPTURING, "VOIDED": S.VOIDING}[end]
        assert await ends(s, move(order_id=order_id)) == [waits]
        second = charge(order_id=order_id, attempt=2)
        assert await ends(s, second) in (["payment-in-progress"], ["already-paid"])
        await bank.faults()
        await comes_to(s, order_id, end)
        moves = [r for r in await bank.ledger(order_id) if r["type"] != "charge"]
        assert len(moves) == 1
        await books(s)


@pytest.mark.usefixtures("hasty")
async def test_a_hold_whose_outcome_is_unknown_is_asked_for_again(shop, bank) -> None:
    async with shop("payments", settings=shipping(bank)) as s:
        asked = charge("tok_timeout")
        assert (await s.ask(asked)).status is S.UNKNOWN
        assert await ends(s, CapturePayment(order_id=asked.order_id)) == [
            "payment-in-progress"
        ]
        await comes_to(s, asked.order_id, "AUTHORIZED")
        assert await at_the_bank(bank, asked.order_id) == ("authorized", 0, 0)
        assert await ends(s, CapturePayment(order_id=asked.order_id)) == [S.SUCCEEDED]


async def test_held_money_expires_and_the_order_may_be_paid_again(
    shop, bank, monkeypatch
) -> None:
    soon = dt.timedelta(seconds=0.3)
    monkeypatch.setattr(Payments, "authorization_time", soon)
    async with shop("payments", settings=shipping(bank)) as s:
        order_id = await held(s)
        await comes_to(s, order_id, "EXPIRED")
        assert await at_the_bank(bank, order_id) == ("voided", 0, 0)
        assert await ends(s, CapturePayment(order_id=order_id)) == [
            "authorization-expired"
        ]
        assert await told(s) == [
            "payment_authorized",
            "payment_voided",
            "payment_failed",
        ]
        monkeypatch.setattr(Payments, "authorization_time", dt.timedelta(days=7))
        again = charge(order_id=order_id, attempt=2)
        assert await ends(s, again) == [S.AUTHORIZED]
        assert await ends(s, CapturePayment(order_id=order_id)) == [S.SUCCEEDED]
        assert await attempts(s) == [(1, "EXPIRED"), (2, "SUCCEEDED")]
        await books(s)


async def test_a_capture_of_what_the_bank_holds_no_longer_is_refused(
    shop, bank
) -> None:
    async with shop("payments", settings=shipping(bank)) as s:
        order_id = await held(s, "tok_expires_50")
        await asyncio.sleep(0.1)
        assert await ends(s, CapturePayment(order_id=order_id)) == [
            "authorization-expired"
        ]
        assert await attempts(s) == [(1, "EXPIRED")]
        assert await ends(s, VoidPayment(order_id=order_id)) == [S.EXPIRED]
        assert await s.rows("payments", "SELECT * FROM ledger_lines") == []


async def test_a_pending_payment_that_is_given_up_is_never_taken(shop, bank) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        asked = charge("tok_pending_60000")
        assert (await s.ask(asked)).status is S.PENDING
        assert await ends(s, VoidPayment(order_id=asked.order_id)) == [S.VOIDED]
        assert await at_the_bank(bank, asked.order_id) == ("voided", 0, 0)
        again = charge(order_id=asked.order_id, attempt=2)
        assert await ends(s, again) == [S.SUCCEEDED]
        await books(s)


@pytest.mark.usefixtures("hasty")
async def test_an_unknown_charge_that_is_given_up_goes_back(
    shop, bank, monkeypatch
) -> None:
    monkeypatch.setattr("actors.payments.attempts.RESCUE_SECONDS", 0.5)
    async with shop("payments", settings=settings_for(bank)) as s:
        asked = charge("tok_timeout")
        assert (await s.ask(asked)).status is S.UNKNOWN
        assert await ends(s, VoidPayment(order_id=asked.order_id)) == [S.UNKNOWN]
        await comes_to(s, asked.order_id, "LATE")

        async def back() -> bool:
            return await at_the_bank(bank, asked.order_id) == ("succeeded", 1999, 1999)

        await until(back)
        await books(s)


@pytest.mark.usefixtures("hasty")
async def test_what_the_bank_never_heard_of_is_not_asked_for_once_given_up(
    shop, bank, monkeypatch
) -> None:
    """Nor is it written off before what was asked for can be on its way no more."""
    monkeypatch.setattr("actors.payments.attempts.RESCUE_SECONDS", 0.5)
    async with shop("payments", settings=settings_for(bank)) as s:
        await bank.faults(refuse=True)
        asked = charge()
        assert (await s.ask(asked)).status is S.UNKNOWN
        assert await ends(s, VoidPayment(order_id=asked.order_id)) == [S.UNKNOWN]
        await bank.faults()
        await comes_to(s, asked.order_id, "VOIDED")
        assert await bank.ledger(asked.order_id) == []
        rows = await s.rows(
            "payments", "SELECT closed_at - created_at AS waited FROM attempts"
        )
        assert rows[0]["waited"] >= dt.timedelta(seconds=1.5)


@pytest.mark.full
@pytest.mark.parametrize("after_seconds", [0.0, 0.05, 0.15])
@pytest.mark.parametrize("move", [CapturePayment, VoidPayment])
@pytest.mark.usefixtures("hasty")
async def test_a_shard_killed_during_a_move_makes_it_once(
    shop, bank, move, after_seconds
) -> None:
    async with shop("payments", settings=shipping(bank)) as s:
        order_id = await held(s)
        await bank.faults(latency_ms=100)
        waiting = asyncio.create_task(s.ask(move(order_id=order_id), join=True))
        await asyncio.sleep(after_seconds)
        await s.kill("payments")
        await s.restart("payments")
        await asyncio.gather(waiting, return_exceptions=True)
        end = "SUCCEEDED" if move is CapturePayment else "VOIDED"
        await s.ask(move(order_id=order_id))
        await comes_to(s, order_id, end)
        moves = [r for r in await bank.ledger(order_id) if r["type"] != "charge"]
        assert [row["type"] for row in moves] == [
            "capture" if move is CapturePayment else "void"
        ]
        await books(s)


async def test_webhooks_of_a_hold_may_come_in_any_order(shop, bank) -> None:
    async with shop("payments", settings=shipping(bank)) as s:
        order_id = await held(s)
        capture = CapturePayment(order_id=order_id)
        assert await ends(s, capture) == [S.SUCCEEDED]
        for status in (S.AUTHORIZED, S.PENDING, S.SUCCEEDED, S.UNKNOWN):
            said = Outcome(status=status)
            await s.ask(ApplyWebhook(order_id=order_id, attempt=1, outcome=said))
        assert await attempts(s) == [(1, "SUCCEEDED")]
        assert await told(s) == ["payment_authorized", "payment_succeeded"]
        await books(s)


def test_a_charge_that_held_nothing_cannot_be_captured() -> None:
    asked, now = charge("tok_visa"), dt.datetime.now(dt.UTC)
    payment, attempt = begin_attempt(None, asked, "sandbox", "sealed", now)
    declined = replace(attempt, status=S.DECLINED)
    with pytest.raises(Refusal) as refused:
        begin_capture(replace(payment, attempts=(declined,)), now)
    assert refused.value.code == "not-authorized"
