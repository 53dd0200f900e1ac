"""The provider `paypal` alone, against a double that replays by `PayPal-Request-Id`."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from actors.payments.paypal.amounts import from_paypal, to_paypal
from actors.payments.paypal.orders import VAULT
from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal, Unavailable
from bus.kit.values import Money
from tests.payments.doubles.paypal import CLIENT_SECRET, PayPal
from tests.payments.doubles.weather import AFTER, BEFORE, Moment
from tests.payments.tellers import Log, capture_of, charge_ask, refund_ask, teller_of

HOURS = 3600
GOOD = f"{VAULT}vault-good"


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
    """PayPal's double and the client that asks it."""
    async with teller_of(PayPal(), log, clock) as one:
        yield one


@pytest.mark.parametrize(
    ("money", "value"),
    [
        (Money(1999, "USD"), "19.99"),
        (Money(5, "EUR"), "0.05"),
        (Money(500, "JPY"), "500"),
        (Money(1000, "HUF"), "10"),
        (Money(1045, "HUF"), None),
        (Money(700, "TWD"), "7"),
        (Money(1999, "KWD"), None),
    ],
)
def test_amounts_are_written_as_paypal_wants_them(money, value) -> None:
    asked = {"currency_code": money.currency, "value": value} if value else None
    assert to_paypal(money) == asked
    if value:
        assert from_paypal(value, money.currency) == money


def test_what_is_no_amount_is_none() -> None:
    for value in ("", "1.999", "1e3", "٣", "10.00 USD", "-"):
        assert from_paypal(value, "USD") is None
    assert from_paypal("10.50", "JPY") is None
    assert from_paypal("-9.00", "USD") == Money(-900, "USD")


@pytest.mark.parametrize("token", ["approved", GOOD])
@pytest.mark.parametrize("fault", [*BEFORE, *AFTER])
async def test_whatever_fails_leaves_it_unknown_and_is_charged_once(
    teller, log, fault, token
) -> None:
    ask = charge_ask(teller.good(1999) if token == "approved" else token)
    teller.double.fault, teller.double.only = fault, "/v2/"
    assert (await teller.provider.charge(ask)).status == "UNKNOWN"
    assert (await teller.provider.find_charge(ask)).status == "UNKNOWN"
    refund = await teller.provider.refund(refund_ask(ask, "CAPTURE1", 1))
    assert refund.status == "PENDING"
    assert "GET /elsewhere" not in teller.double.asked
    teller.double.fault = ""
    found = await teller.provider.find_charge(ask)
    assert (found or await teller.provider.charge(ask)).status == "SUCCEEDED"
    assert await teller.taken(ask.order_id) == [1999]


@pytest.mark.parametrize("call", ["GET ", "PATCH ", "/capture"])
async def test_any_call_about_an_approved_order_may_be_lost(teller, call) -> None:
    ask = charge_ask(teller.good(1999))
    teller.double.fault, teller.double.only = "lost", call
    assert (await teller.provider.charge(ask)).status == "UNKNOWN"
    teller.double.fault = ""
    assert (await teller.provider.charge(ask)).status == "SUCCEEDED"
    assert await teller.taken(ask.order_id) == [1999]


@pytest.mark.parametrize(
    ("unit", "code"),
    [
        ({"amount": {"currency_code": "USD", "value": "1.00"}}, "wrong-amount"),
        ({"amount": {"currency_code": "EUR", "value": "19.99"}}, "wrong-amount"),
        ({"payee": {"merchant_id": "SOMEBODY"}}, "wrong-payee"),
        ({"payee": {}}, "wrong-payee"),
    ],
)
async def test_an_order_that_a_shopper_made_otherwise_is_refused(
    teller, unit, code
) -> None:
    ask = charge_ask(teller.double.approve("19.99", **unit))
    assert (await teller.provider.charge(ask)).decline_code == code
    assert teller.double.parts == {}


async def test_an_order_that_cannot_be_paid_is_declined(teller) -> None:
    held = teller.good(1999, capture=False)
    waiting = teller.good(1999)
    teller.double.orders[waiting]["status"] = "PAYER_ACTION_REQUIRED"
    for token, code in (
        (held, "wrong-intent"),
        (waiting, "not-approved"),
        ("ABCDEFGH123456789", "invalid-token"),
        ("vault-good", "invalid-token"),
        (f"{VAULT}vault-nobody", "resource-not-found"),
        ("../v2/evil", "invalid-token"),
        (f"{VAULT}vault-poor", "instrument-declined"),
    ):
        ask = charge_ask(token)
        found = await teller.provider.find_charge(ask)
        outcome = found or await teller.provider.charge(ask)
        assert (outcome.status, outcome.decline_code) == ("DECLINED", code)
    assert teller.double.parts == {}


async def test_one_approved_order_pays_one_attempt(teller) -> None:
    token = teller.good(1999)
    first, second = charge_ask(token), charge_ask(token)
    assert (await teller.provider.charge(first)).status == "SUCCEEDED"
    outcome = await teller.provider.charge(second)
    assert outcome.decline_code == "order-already-used"
    assert await teller.provider.find_charge(second) == outcome
    assert await teller.taken(second.order_id) == []


async def test_what_takes_time_is_read_by_its_own_id(teller) -> None:
    ask = charge_ask(f"{VAULT}vault-slow")
    pending = await teller.provider.charge(ask)
    assert (pending.status, bool(pending.reference)) == ("PENDING", True)
    (part,) = teller.double.parts.values()
    part["status"] = "COMPLETED"
    asked = replace(ask, reference=pending.reference)
    assert (await teller.provider.find_charge(asked)).status == "SUCCEEDED"


async def test_a_key_that_paypal_has_forgotten_is_looked_up_before(
    teller, clock
) -> None:
    ago = datetime.now(UTC) - timedelta(hours=6)
    lost = charge_ask(GOOD, begun_at=ago)
    never = charge_ask(GOOD, begun_at=ago)
    clock.at -= 6 * HOURS
    teller.double.fault, teller.double.only = "lost", "/v2/"
    await teller.provider.charge(lost)
    teller.double.fault = ""
    teller.double.forget_keys()
    clock.at += 6 * HOURS
    (part,) = teller.double.parts.values()
    part["at"] = (ago + timedelta(minutes=1)).isoformat()
    assert (await teller.provider.find_charge(lost)).status == "SUCCEEDED"
    assert (await teller.provider.charge(lost)).status == "SUCCEEDED"
    assert await teller.taken(lost.order_id) == [1999]
    teller.double.list_lag = timedelta(hours=7)  # its list is not whole yet
    assert (await teller.provider.charge(never)).status == "UNKNOWN"
    teller.double.list_lag = timedelta(hours=3)
    assert await teller.provider.find_charge(never) is None
    assert (await teller.provider.charge(never)).status == "SUCCEEDED"


async def test_what_nobody_wants_any_more_is_not_paid_from_the_vault(
    teller, clock
) -> None:
    ask = charge_ask(GOOD, wanted=False)
    assert (await teller.provider.find_charge(ask)).status == "UNKNOWN"
    assert teller.double.parts == {}
    clock.at += 6 * HOURS
    assert (await teller.provider.find_charge(ask)).status == "UNKNOWN"
    old = replace(ask, begun_at=datetime.now(UTC) - timedelta(hours=12))
    clock.at -= 6 * HOURS
    assert await teller.provider.find_charge(old) is None
    assert teller.double.parts == {}


async def test_a_refund_whose_key_is_forgotten_is_looked_up_before(
    teller, clock
) -> None:
    ask = charge_ask(teller.good(1999))
    paid = await teller.provider.charge(ask)
    back = refund_ask(ask, paid.reference, 900)
    assert await teller.provider.find_refund(back) is None
    teller.double.fault, teller.double.only = "lost", "/refund"
    assert (await teller.provider.refund(back)).status == "PENDING"
    teller.double.fault = ""
    assert (await teller.provider.find_refund(back)).status == "COMPLETED"
    teller.double.forget_keys()
    clock.at += 45 * 24 * HOURS
    assert (await teller.provider.refund(back)).status == "COMPLETED"
    assert await teller.given(ask.order_id) == [900]
    never = refund_ask(ask, paid.reference, 1)
    assert (await teller.provider.refund(never)).status == "COMPLETED"


async def test_one_access_token_serves_all_until_it_ends(teller, clock) -> None:
    for _ in range(3):
        await teller.provider.charge(charge_ask(GOOD))
    assert teller.double.tokens == 1
    teller.double.withdraw()
    outcome = await teller.provider.charge(charge_ask(GOOD))
    assert (outcome.status, teller.double.tokens) == ("SUCCEEDED", 3)
    clock.at += 10 * HOURS
    await teller.provider.charge(charge_ask(GOOD))
    assert teller.double.tokens == 4


async def test_who_paypal_does_not_know_is_told_loudly_without_secrets(log) -> None:
    wrong = {"paypal_client_secret": "not-the-secret"}
    async with teller_of(PayPal(), log, **wrong) as locked:
        outcome = await locked.provider.charge(charge_ask(GOOD))
    assert outcome.status == "UNKNOWN"
    assert "provider-refuses-us" in log.of("error")
    for secret in ("not-the-secret", CLIENT_SECRET, "vault-good"):
        assert secret not in repr(log.said)


async def test_a_kept_account_shows_nothing_of_its_person(teller) -> None:
    owner = new_id()
    teller.double.owner = str(owner)
    facts = await teller.provider.describe("vault-good", owner)
    assert (facts.brand, facts.last4, facts.token) == ("paypal", "", GOOD)
    assert await teller.provider.describe("vault-good", new_id()) is None
    for token in (teller.good(1999), "vault-nobody", "a/b", GOOD):
        assert await teller.provider.describe(token, owner) is None
    teller.double.fault = "refuse"
    with pytest.raises(Unavailable):
        await teller.provider.describe("vault-good", owner)


async def test_an_account_that_is_let_go_is_kept_by_nobody(teller) -> None:
    owner = new_id()
    teller.double.owner = str(owner)
    for _ in range(2):
        await teller.provider.forget(GOOD)
        assert await teller.provider.describe("vault-good", owner) is None
    asked = len(teller.double.asked)
    await teller.provider.forget("vault-slow")  # was never kept
    assert len(teller.double.asked) == asked
    teller.double.fault = "refuse"
    with pytest.raises(Unavailable):
        await teller.provider.forget(GOOD)


async def test_its_books_hold_every_payment_and_refund(teller) -> None:
    asks = [charge_ask(GOOD) for _ in range(2)]
    paid = [await teller.provider.charge(ask) for ask in asks]
    back = refund_ask(asks[0], paid[0].reference, 900)
    await teller.provider.refund(back)
    now = datetime.now(UTC)
    window = (now - timedelta(days=40), now + timedelta(hours=1))
    found = [one async for one in teller.provider.transactions(*window)]
    assert [(o.kind, o.key, o.reference, o.amount.amount) for o in found] == [
        ("charge", asks[0].key, paid[0].reference, 1999),
        ("charge", asks[1].key, paid[1].reference, 1999),
        ("refund", back.key, next(iter(teller.double.refunds)), 900),
    ]
    teller.double.fault = "broken"
    with pytest.raises(Unavailable):
        _ = [one async for one in teller.provider.transactions(*window)]


async def heard(teller: Any, kind: str, thing: dict[str, Any]) -> Any:
    body, headers = teller.event(kind, thing)
    return await teller.provider.verify_webhook(body, headers, time.time())


async def test_webhooks_tell_of_attempts_with_their_amount(teller) -> None:
    ask = charge_ask("any")
    for kind, status, means in (
        ("capture", "COMPLETED", "SUCCEEDED"),
        ("capture", "PENDING", "PENDING"),
        ("capture", "DECLINED", "DECLINED"),
        ("authorization", "CREATED", "AUTHORIZED"),
        ("authorization", "VOIDED", "DECLINED"),
    ):
        facts = await heard(teller, kind, capture_of(ask, status))
        assert (facts.order_id, facts.attempt) == (ask.order_id, 1)
        assert (facts.outcome.status, facts.amount) == (means, ask.amount)


async def test_webhooks_tell_of_a_refund(teller) -> None:
    order_id, refund_id = new_id(), new_id()
    refund = {"id": "R1", "status": "FAILED", "custom_id": f"{order_id}:r:{refund_id}"}
    facts = await heard(teller, "refund", refund)
    assert (facts.order_id, facts.refund_id) == (order_id, refund_id)
    assert facts.refund.status == "REJECTED"


async def test_webhooks_of_others_concern_nothing(teller, log) -> None:
    capture = capture_of(charge_ask("any"))
    for kind, thing in (
        ("capture", {**capture, "payee": {"merchant_id": "SOMEBODY"}}),
        ("capture", {**capture, "custom_id": "another shop's"}),
        ("capture", {**capture, "amount": None}),
        ("refund", capture),
        ("capture", {"id": 5}),
        ("checkout-order", {}),
    ):
        assert await heard(teller, kind, thing) is None
    assert log.of("error") == ["provider-pays-another", "provider-webhook-unreadable"]


async def test_while_paypal_does_not_say_a_webhook_is_to_come_again(teller) -> None:
    teller.double.fault, teller.double.only = "broken", "/notifications/"
    with pytest.raises(Unavailable):
        await heard(teller, "capture", capture_of(charge_ask("any")))


async def test_a_webhook_of_another_sender_costs_paypal_no_call(teller) -> None:
    body, headers = teller.event("capture", capture_of(charge_ask("any")))
    forged = {**headers, "paypal-cert-url": "https://paypal.com.example/cert"}
    for signed in (forged, {}):
        with pytest.raises(Refusal):
            await teller.provider.verify_webhook(body, signed, time.time())
    assert teller.double.asked == []
