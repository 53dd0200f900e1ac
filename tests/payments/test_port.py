"""What holds of every provider, in the same sentences for all three."""

import asyncio
import time
from uuid import uuid4

import pytest
from msgspec.structs import replace

from bus.kit.refusals import Refusal
from bus.kit.values import Money
from tests.payments.doubles import paypal, stripe
from tests.payments.tellers import (
    capture_ask,
    charge_ask,
    refund_ask,
    sandbox_teller,
    teller_of,
    void_ask,
)

DOUBLES = {"stripe": stripe.Stripe, "paypal": paypal.PayPal}


@pytest.fixture(params=["sandbox", *DOUBLES])
async def teller(request):
    """A provider, sandbox, stripe or paypal, and its other side."""
    if request.param == "sandbox":
        bank = request.getfixturevalue("bank_process")
        await bank.ready()
        async with sandbox_teller(bank) as one:
            yield one
            await bank.faults()
    else:
        async with teller_of(DOUBLES[request.param]()) as one:
            yield one


async def test_a_key_takes_the_money_once_however_often_it_is_asked(teller) -> None:
    ask = charge_ask(teller.good(1999))
    await asyncio.gather(*(teller.provider.charge(ask) for _ in range(4)))
    first = await teller.provider.charge(ask)
    again = await teller.provider.charge(ask)
    assert first == again
    assert (first.status, bool(first.reference)) == ("SUCCEEDED", True)
    assert await teller.provider.find_charge(ask) == first
    assert await teller.taken(ask.order_id) == [1999]


async def test_a_key_with_another_amount_takes_nothing_more(teller) -> None:
    ask = charge_ask(teller.good(1999))
    await teller.provider.charge(ask)
    other = await teller.provider.charge(replace(ask, amount=Money(2999, "USD")))
    assert other.status == "UNKNOWN"
    assert await teller.taken(ask.order_id) == [1999]


async def test_a_decline_has_its_code_and_takes_nothing(teller) -> None:
    ask = charge_ask(teller.poor())
    outcome = await teller.provider.charge(ask)
    assert (outcome.status, outcome.decline_code) == ("DECLINED", teller.poor_code)
    assert await teller.taken(ask.order_id) == []


async def test_no_answer_is_unknown_and_is_settled_by_asking_again(teller) -> None:
    ask = charge_ask(teller.good(1999))
    await teller.fault("silent")
    began = time.monotonic()
    assert (await teller.provider.charge(ask)).status == "UNKNOWN"
    assert time.monotonic() - began < 1.5
    await teller.fault("")
    found = await teller.provider.find_charge(ask)
    assert (found or await teller.provider.charge(ask)).status == "SUCCEEDED"
    assert await teller.taken(ask.order_id) == [1999]


async def test_what_never_reached_it_is_charged_when_it_is_asked_again(teller) -> None:
    ask = charge_ask(teller.good(1999))
    await teller.fault("refuse")
    assert (await teller.provider.charge(ask)).status == "UNKNOWN"
    assert await teller.taken(ask.order_id) == []
    await teller.fault("")
    found = await teller.provider.find_charge(ask)
    assert (found or await teller.provider.charge(ask)).status == "SUCCEEDED"
    assert await teller.taken(ask.order_id) == [1999]


async def test_what_nobody_wants_any_more_is_looked_for_and_never_made(teller) -> None:
    ask = charge_ask(teller.good(1999))
    given_up = replace(ask, wanted=False)
    assert await teller.provider.find_charge(given_up) is None
    assert await teller.taken(ask.order_id) == []
    await teller.fault("silent")
    await teller.provider.charge(ask)
    await teller.fault("")
    found = await teller.provider.find_charge(given_up)
    assert (found.status, await teller.taken(ask.order_id)) == ("SUCCEEDED", [1999])


async def test_refunds_act_once_by_key_and_never_pass_the_capture(teller) -> None:
    ask = charge_ask(teller.good(1999))
    paid = await teller.provider.charge(ask)
    part = refund_ask(ask, paid.reference, 500)
    await teller.fault("silent")
    assert (await teller.provider.refund(part)).status == "PENDING"
    await teller.fault("")
    first = await teller.provider.refund(part)
    assert first.status == "COMPLETED"
    assert await teller.provider.refund(part) == first
    assert await teller.provider.find_refund(part) == first
    over = await teller.provider.refund(refund_ask(ask, paid.reference, 1500))
    assert over.status == "REJECTED"
    assert over.reason_code
    rest = await teller.provider.refund(refund_ask(ask, paid.reference, 1499))
    assert rest.status == "COMPLETED"
    assert sorted(await teller.given(ask.order_id)) == [500, 1499]


async def test_what_is_held_is_captured_once(teller) -> None:
    ask = charge_ask(teller.good(1999, capture=False), capture=False)
    held = await teller.provider.authorize(ask)
    assert held.status == "AUTHORIZED"
    assert await teller.provider.find_charge(ask) == held
    assert await teller.taken(ask.order_id) == []
    asked = capture_ask(ask, held.reference, 1500)
    await teller.fault("silent")
    assert (await teller.provider.capture(asked)).status == "UNKNOWN"
    await teller.fault("")
    taken = await teller.provider.capture(asked)
    assert taken.status == "SUCCEEDED"
    other = replace(asked, key=uuid4())
    for late in (
        teller.provider.capture(asked),
        teller.provider.capture(other),
        teller.provider.void(void_ask(ask, held.reference)),
    ):
        again = await late
        assert (again.status, again.reference) == ("SUCCEEDED", taken.reference)
    assert await teller.taken(ask.order_id) == [1500]
    back = await teller.provider.refund(refund_ask(ask, taken.reference, 1500))
    assert back.status == "COMPLETED"


async def test_what_is_held_is_let_go_once_and_for_all(teller) -> None:
    ask = charge_ask(teller.good(1999, capture=False), capture=False)
    held = await teller.provider.authorize(ask)
    asked = void_ask(ask, held.reference)
    for _ in range(2):
        gone = await teller.provider.void(asked)
        assert (gone.status, gone.decline_code) == ("DECLINED", "voided")
    late = await teller.provider.capture(capture_ask(ask, held.reference, 1999))
    assert (late.status, late.decline_code) == ("DECLINED", "voided")
    assert await teller.taken(ask.order_id) == []


async def test_a_webhook_counts_only_as_its_provider_sent_it(teller) -> None:
    ask = charge_ask("any")
    body, headers = teller.webhook(ask)
    facts = await teller.provider.verify_webhook(body, headers, time.time())
    assert (facts.order_id, facts.attempt) == (ask.order_id, 1)
    assert facts.outcome.status == "SUCCEEDED"
    again = await teller.provider.verify_webhook(body, headers, time.time())
    assert again == facts  # it is applied once by its event id
    for forged, signed in (
        (body.replace(str(ask.order_id).encode(), str(ask.key).encode()), headers),
        (body.replace(b":", b": ", 1), headers),
        (body, {}),
        (body, dict.fromkeys(headers, "x")),
        (b"\xff\x00", headers),
    ):
        with pytest.raises(Refusal) as refused:
            await teller.provider.verify_webhook(forged, signed, time.time())
        assert refused.value.code == "forbidden"
