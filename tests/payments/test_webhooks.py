"""Webhooks: only the provider's, applied once, in any order."""

import asyncio
import time
from functools import partial
from typing import Any

import msgspec
import pytest

from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal
from bus.payments import (
    ApplyWebhook,
    AttemptStatus,
    GetPayment,
    Outcome,
    SettleAttempt,
    VerifyWebhook,
)
from scripts.bank.webhooks import sign
from tests.payments.support import SECRET, charge, receiver, settings_for, until
from tests.payments.test_charges import books, timers, told


def verify(body: bytes, signature: str) -> VerifyWebhook:
    return VerifyWebhook(
        delivery_id=new_id(),
        provider="sandbox",
        body=body,
        headers={"bank-signature": signature},
    )


async def taken_for(s: Any, bank: Any, asked: Any) -> tuple[str, bytes]:
    """Charge with a token that is settled later; the webhook that says so."""
    async with receiver(bank.webhook_port) as taken:
        assert (await s.ask(asked)).status == "PENDING"
        mark = str(asked.order_id).encode()

        async def mine() -> tuple[str, bytes] | None:
            return next((w for w in taken if mark in w[1]), None)

        webhook: tuple[str, bytes] = await until(mine)
        return webhook


async def apply(s: Any, facts: Any) -> None:
    await s.ask(
        ApplyWebhook(
            order_id=facts.order_id, attempt=facts.attempt, outcome=facts.outcome
        ),
        id=facts.event_id,
    )


@pytest.mark.parametrize(
    ("token", "status", "event"),
    [
        ("tok_pending", "SUCCEEDED", "payment_succeeded"),
        ("tok_pending_declined", "DECLINED", "payment_failed"),
    ],
)
async def test_a_pending_charge_is_settled_once_by_webhook(
    shop, bank, token, status, event
) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        asked = charge(token)
        signature, body = await taken_for(s, bank, asked)
        facts = await s.ask(verify(body, signature))
        await asyncio.gather(*(apply(s, facts) for _ in range(3)))
        await apply(s, facts)
        result = await s.ask(asked)
        assert result.status == status
        payment = await s.ask(GetPayment(payment_id=result.payment_id))
        assert payment.status == status
        assert await told(s) == ["payment_authorized", event, "payment_settled"]
        assert await timers(s) == []
        await books(s)


async def test_a_webhook_that_comes_three_times_settles_once(shop, bank) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        asked = charge("tok_pending")
        signature, body = await taken_for(s, bank, asked)
        facts = await s.ask(verify(body, signature))
        pending = Outcome(status=AttemptStatus.PENDING)
        stale = ApplyWebhook(order_id=asked.order_id, attempt=1, outcome=pending)
        timer = SettleAttempt(order_id=asked.order_id, attempt=1)
        await asyncio.gather(
            *(apply(s, facts) for _ in range(3)), s.ask(stale), s.ask(timer)
        )
        for late in (stale, timer):
            await s.ask(late)
        assert (await s.ask(asked)).status == "SUCCEEDED"
        assert await told(s) == [
            "payment_authorized",
            "payment_succeeded",
            "payment_settled",
        ]
        lines = await s.rows("payments", "SELECT amount_minor FROM ledger_lines")
        assert sorted(line["amount_minor"] for line in lines) == [-1999, 1999]
        assert await timers(s) == []
        await books(s)


async def test_a_lost_webhook_is_made_up_for_by_asking(shop, bank) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        result = await s.ask(charge("tok_pending_100"))
        assert result.status == "PENDING"

        async def done() -> bool:
            view = await s.ask(GetPayment(payment_id=result.payment_id))
            return bool(view.status == "SUCCEEDED")

        await until(done)
        await books(s)


@pytest.mark.usefixtures("hasty")
async def test_a_webhook_may_come_before_the_answer(shop, bank) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        asked = charge("tok_slow_600")
        waiting = asyncio.create_task(s.ask(asked))
        await asyncio.sleep(0.2)
        await s.ask(
            ApplyWebhook(
                order_id=asked.order_id,
                attempt=1,
                outcome=Outcome(status=AttemptStatus.SUCCEEDED),
            )
        )
        assert (await waiting).status == "SUCCEEDED"
        assert await told(s) == ["payment_succeeded"]
        await books(s)


async def test_only_the_providers_own_webhooks_count(shop, bank) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        signature, body = await taken_for(s, bank, charge("tok_pending_100"))
        forged = body.replace(b"succeeded", b"declined")
        for bad_body, bad_signature in (
            (forged, lambda _: signature),
            (body, lambda _: ""),
            (body, lambda _: "t=,v1="),
            (body, lambda _: "t=now,v1=abc"),
            (body, partial(sign, "another secret", body)),
            (body, lambda now: sign(SECRET, body, now - 301)),
            (body, lambda now: sign(SECRET, body, now + 302)),
        ):
            with pytest.raises(Refusal) as refused:
                # Signed now, not before the others: 301 s ahead may be 300 by then.
                await s.ask(verify(bad_body, bad_signature(int(time.time()))))
            assert refused.value.code == "forbidden"
        with pytest.raises(Refusal):
            await s.ask(
                VerifyWebhook(delivery_id=new_id(), provider="x", body=body, headers={})
            )


async def test_a_genuine_webhook_of_another_shop_concerns_nothing(shop, bank) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        _, body = await taken_for(s, bank, charge("tok_pending_100"))
        for field, value in (("order_id", "x"), ("key", "x"), ("status", "odd")):
            webhook = msgspec.json.decode(body)
            webhook["charge"][field] = value
            other = msgspec.json.encode(webhook)
            signature = sign(SECRET, other, int(time.time()))
            assert await s.ask(verify(other, signature)) is None
        signature = sign(SECRET, b"{}", int(time.time()))
        assert await s.ask(verify(b"{}", signature)) is None
