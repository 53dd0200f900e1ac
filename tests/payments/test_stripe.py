"""The provider `stripe` alone, against a double that replays by idempotency key."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from actors.payments.provider import KEPT_MARK
from actors.payments.stripe.amounts import from_stripe, to_stripe
from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal, Unavailable
from bus.kit.values import Money
from tests.payments.doubles.stripe import SECRET_KEY, Stripe
from tests.payments.doubles.weather import AFTER, BEFORE, Moment
from tests.payments.tellers import (
    WEBHOOK_SECRET,
    Log,
    charge_ask,
    intent_of,
    refund_ask,
    teller_of,
)

DAY = 24 * 3600


@pytest.fixture
async def log():
    """What the provider's client says."""
    return Log()


@pytest.fixture
async def clock():
    """The provider's client's own time."""
    return Moment(time.time())


@pytest.fixture
async def teller(log, clock):
    """Stripe's double and the client that asks it."""
    async with teller_of(Stripe(), log, clock) as one:
        yield one


@pytest.mark.parametrize(
    ("money", "asked"),
    [
        (Money(1999, "USD"), 1999),
        (Money(500, "JPY"), 500),
        (Money(500, "XAF"), 500),
        (Money(1045, "HUF"), 1045),
        (Money(5, "ISK"), 500),
        (Money(5, "UGX"), 500),
        (Money(500, "MGA"), 5),
        (Money(550, "MGA"), None),
        (Money(5120, "KWD"), 5120),
        (Money(5124, "KWD"), None),
    ],
)
def test_amounts_are_stripes_own(money, asked) -> None:
    assert to_stripe(money) == asked
    if asked is not None:
        assert from_stripe(asked, money.currency.lower()) == money


@pytest.mark.parametrize("fault", [*BEFORE, *AFTER])
async def test_whatever_fails_leaves_it_unknown_and_is_charged_once(
    teller, log, fault
) -> None:
    ask = charge_ask("pm_visa")
    teller.double.fault = fault
    assert (await teller.provider.charge(ask)).status == "UNKNOWN"
    assert (await teller.provider.find_charge(ask)).status == "UNKNOWN"
    refund = await teller.provider.refund(refund_ask(ask, "pi_1", 1))
    assert refund.status == "PENDING"
    assert log.of("warning") == ["provider-call-failed"] * 3
    assert "GET /elsewhere" not in teller.double.asked
    teller.double.fault = ""
    assert (await teller.provider.find_charge(ask)).status == "SUCCEEDED"
    assert await teller.taken(ask.order_id) == [1999]


async def test_a_payment_says_whose_it_is_and_waits_for_nobody(teller) -> None:
    ask = charge_ask("pm_visa")
    await teller.provider.charge(ask)
    (intent,) = teller.double.intents.values()
    assert intent["form"] == {
        "amount": "1999",
        "currency": "usd",
        "confirm": "true",
        "capture_method": "automatic",
        "payment_method_types[0]": "card",
        "metadata[order_id]": str(ask.order_id),
        "metadata[attempt]": "1",
        "metadata[key]": str(ask.key),
        "payment_method": "pm_visa",
    }


async def test_tokens_are_what_stripe_gives_out(teller) -> None:
    one_time = charge_ask("tok_visa")
    assert (await teller.provider.charge(one_time)).status == "SUCCEEDED"
    for token in ("pm_nobody", "pm_visa&amount=1", "4242", f"{KEPT_MARK}pm_visa"):
        outcome = await teller.provider.charge(charge_ask(token))
        assert (outcome.status, outcome.decline_code) == ("DECLINED", "invalid-token")


async def test_a_bank_that_wants_to_see_the_buyer_declines(teller) -> None:
    ask = charge_ask("pm_asks")
    teller.double.only = "cancel"
    teller.double.fault = "refuse"
    assert (await teller.provider.charge(ask)).status == "UNKNOWN"
    teller.double.fault = ""
    outcome = await teller.provider.find_charge(ask)
    assert outcome.decline_code == "authentication-required"
    assert await teller.provider.charge(ask) == outcome
    (intent,) = teller.double.intents.values()
    assert intent["status"] == "canceled"


async def test_what_takes_time_is_read_anew_not_replayed(teller) -> None:
    ask = charge_ask("pm_slow")
    pending = await teller.provider.charge(ask)
    assert (pending.status, bool(pending.reference)) == ("PENDING", True)
    (intent,) = teller.double.intents.values()
    intent["status"] = "succeeded"
    for asked in (ask, replace(ask, reference=pending.reference)):
        assert (await teller.provider.find_charge(asked)).status == "SUCCEEDED"


async def test_a_key_that_stripe_has_forgotten_is_looked_up_before(
    teller, clock
) -> None:
    lost, never = charge_ask("pm_visa"), charge_ask("pm_visa")
    teller.double.fault = "lost"
    await teller.provider.charge(lost)
    teller.double.fault = ""
    for _ in range(3):
        await teller.provider.charge(charge_ask("pm_visa"))
    teller.double.forget_keys()
    clock.at += DAY
    assert (await teller.provider.charge(lost)).status == "SUCCEEDED"
    assert (await teller.provider.find_charge(lost)).status == "SUCCEEDED"
    assert await teller.taken(lost.order_id) == [1999]
    assert await teller.provider.find_charge(never) is None
    assert (await teller.provider.charge(never)).status == "SUCCEEDED"
    assert await teller.taken(never.order_id) == [1999]


async def test_a_refund_whose_key_is_forgotten_is_looked_up_before(
    teller, clock
) -> None:
    ask = charge_ask("pm_visa")
    paid = await teller.provider.charge(ask)
    back = refund_ask(ask, paid.reference, 900)
    teller.double.fault = "lost"
    await teller.provider.refund(back)
    teller.double.fault = ""
    teller.double.forget_keys()
    clock.at += DAY
    assert (await teller.provider.refund(back)).status == "COMPLETED"
    assert await teller.given(ask.order_id) == [900]


async def test_a_refund_that_takes_time_is_read_anew(teller) -> None:
    ask = charge_ask("pm_visa")
    paid = await teller.provider.charge(ask)
    back = refund_ask(ask, paid.reference, 900)
    teller.double.refund_status = "pending"
    assert (await teller.provider.refund(back)).status == "PENDING"
    (made,) = teller.double.refunds.values()
    made.update(status="failed", failure_reason="lost_or_stolen_card")
    ended = await teller.provider.refund(back)
    assert (ended.status, ended.reason_code) == ("REJECTED", "lost-or-stolen-card")


async def test_what_only_a_person_can_mend_is_said_loudly_without_secrets(
    teller, log
) -> None:
    ask = charge_ask("pm_visa")
    await teller.provider.charge(ask)
    other = replace(ask, amount=Money(1, "USD"))
    assert (await teller.provider.charge(other)).status == "UNKNOWN"
    async with teller_of(Stripe(), log, stripe_secret_key="sk_live_gone") as locked:
        outcome = await locked.provider.charge(charge_ask("pm_visa"))
    assert outcome.status == "UNKNOWN"
    assert log.of("error") == ["provider-call-failed"] * 2
    said = repr(log.said)
    for secret in (SECRET_KEY, "sk_live_gone", WEBHOOK_SECRET, "pm_visa"):
        assert secret not in said
    assert "IdempotencyError" in said
    assert "AuthenticationError" in said


async def test_a_kept_card_belongs_to_a_customer_of_its_own(teller) -> None:
    owner = new_id()
    facts = await teller.provider.describe("pm_visa", owner)
    assert (facts.brand, facts.last4, facts.exp_month, facts.exp_year) == (
        "visa",
        "4242",
        12,
        2030,
    )
    customer = teller.double.methods["pm_visa"]["customer"]
    assert facts.token == f"{customer}{KEPT_MARK}pm_visa"
    assert await teller.provider.describe("pm_visa", owner) == facts
    assert await teller.provider.describe("pm_visa", new_id()) is None
    await teller.provider.charge(charge_ask(facts.token))
    (intent,) = teller.double.intents.values()
    assert (intent["form"]["customer"], intent["form"]["off_session"]) == (
        customer,
        "true",
    )
    for token in ("pm_nobody", "tok_visa", "x"):
        assert await teller.provider.describe(token, owner) is None
    teller.double.fault = "refuse"
    with pytest.raises(Unavailable):
        await teller.provider.describe("pm_visa", owner)


async def test_a_card_that_is_let_go_is_kept_by_nobody(teller) -> None:
    facts = await teller.provider.describe("pm_visa", new_id())
    for _ in range(2):
        await teller.provider.forget(facts.token)
        assert teller.double.methods["pm_visa"]["customer"] is None
    asked = len(teller.double.asked)
    await teller.provider.forget("pm_visa")  # was never kept
    assert len(teller.double.asked) == asked
    teller.double.fault = "refuse"
    with pytest.raises(Unavailable):
        await teller.provider.forget(facts.token)


async def test_its_books_hold_every_charge_and_refund(teller) -> None:
    asks = [charge_ask("pm_visa") for _ in range(3)]
    paid = [await teller.provider.charge(ask) for ask in asks]
    back = refund_ask(asks[0], paid[0].reference, 900)
    await teller.provider.refund(back)
    now = datetime.now(UTC)
    window = (now - timedelta(hours=1), now + timedelta(hours=1))
    found = [one async for one in teller.provider.transactions(*window)]
    charges = [one for one in found if one.kind == "charge"]
    assert [(c.key, c.reference, c.amount) for c in charges] == [
        (ask.key, outcome.reference, Money(1999, "USD"))
        for ask, outcome in zip(asks, paid, strict=True)
    ]
    (refund,) = [one for one in found if one.kind == "refund"]
    assert (refund.key, refund.amount, refund.status) == (
        back.key,
        Money(900, "USD"),
        "succeeded",
    )
    teller.double.fault = "broken"
    with pytest.raises(Unavailable):
        _ = [one async for one in teller.provider.transactions(*window)]


async def heard(teller: Any, kind: str, thing: dict[str, Any], late: float = 0) -> Any:
    body, headers = teller.event(kind, thing)
    return await teller.provider.verify_webhook(body, headers, time.time() + late)


@pytest.mark.parametrize(
    ("kind", "status", "means"),
    [
        ("payment_intent.succeeded", "succeeded", "SUCCEEDED"),
        ("payment_intent.payment_failed", "requires_payment_method", "DECLINED"),
        ("payment_intent.processing", "processing", "PENDING"),
        (
            "payment_intent.amount_capturable_updated",
            "requires_capture",
            "AUTHORIZED",
        ),
        ("payment_intent.canceled", "canceled", "DECLINED"),
    ],
)
async def test_webhooks_tell_of_an_attempt(teller, kind, status, means) -> None:
    ask = charge_ask("any")
    facts = await heard(teller, kind, intent_of(ask, status))
    assert (facts.order_id, facts.attempt) == (ask.order_id, 1)
    assert facts.outcome.status == means


async def test_webhooks_tell_of_a_refund(teller) -> None:
    order_id, refund_id = new_id(), new_id()
    refund = {
        "id": "re_1",
        "status": "failed",
        "failure_reason": "declined",
        "amount": 5,
        "currency": "usd",
        "metadata": {"order_id": str(order_id), "refund_id": str(refund_id)},
    }
    facts = await heard(teller, "refund.failed", refund)
    assert (facts.order_id, facts.refund_id) == (order_id, refund_id)
    assert (facts.refund.status, facts.refund.reason_code) == ("REJECTED", "declined")
    assert facts.outcome is None
    assert (
        await heard(teller, "refund.updated", {**refund, "status": "pending"}) is None
    )


async def test_webhooks_of_others_concern_nothing(teller, log) -> None:
    ask = charge_ask("any")
    intent = intent_of(ask)
    alien = {**intent, "metadata": {**intent["metadata"], "key": str(new_id())}}
    for kind, thing in (
        ("payment_intent.succeeded", alien),
        ("payment_intent.succeeded", {**intent, "metadata": {}}),
        ("payment_intent.created", intent),
        ("charge.dispute.created", {}),
        ("payment_intent.succeeded", {"id": 5}),
    ):
        assert await heard(teller, kind, thing) is None
    assert log.of("warning") == ["provider-dispute"]
    assert log.of("error") == ["provider-webhook-unreadable"]


@pytest.mark.parametrize("late", [-301, 302])
async def test_a_webhook_of_another_time_is_refused(teller, late) -> None:
    with pytest.raises(Refusal):
        await heard(teller, "payment_intent.succeeded", intent_of(charge_ask("")), late)
