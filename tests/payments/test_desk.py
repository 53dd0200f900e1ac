"""Which provider takes a payment, and that it keeps it, whatever the settings say."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import pytest
from msgspec.structs import replace

from actors.payments import Payments
from actors.payments.paypal import PayPal
from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal
from bus.kit.settings import Settings, SettingsError
from bus.kit.values import Money
from bus.payments import (
    AddMethod,
    ApplyWebhook,
    CapturePayment,
    CloseRefund,
    GetPayment,
    ListMethods,
    Reconcile,
    RefundOrder,
    SettleAttempt,
    VerifyWebhook,
    VoidPayment,
    payment_id_of,
)
from tests.payments.doubles import paypal, stripe
from tests.payments.support import charge, insist, settings_for
from tests.payments.tellers import (
    PayPalTeller,
    StripeTeller,
    capture_of,
    charge_ask,
    settings_of,
)
from tests.payments.test_charges import books


@asynccontextmanager
async def providers(bank):
    """The doubles of both, and the settings of a shop that charges at all three."""
    async with AsyncExitStack() as stack:
        card = await stack.enter_async_context(stripe.Stripe().served())
        wallet = await stack.enter_async_context(paypal.PayPal().served())
        settings = settings_for(bank)
        for double in (card, wallet):
            names = settings_of(double).model_fields_set
            values = settings_of(double).model_dump(include=names)
            settings = settings.changed(**values)
        yield StripeTeller(None, card), PayPalTeller(None, wallet), settings


async def test_a_payment_goes_to_whom_its_method_belongs(shop, bank) -> None:
    async with (
        providers(bank) as (card, wallet, settings),
        shop("payments", settings=settings) as s,
    ):
        for method, token, provider in (
            ("CREDIT_CARD", "pm_visa", "stripe"),
            ("DIGITAL_WALLET", "pm_visa", "stripe"),
            ("PAYPAL", wallet.good(1999), "paypal"),
            ("BANK_TRANSFER", "tok_bank", "sandbox"),
        ):
            result = await s.ask(charge(token, method=method))
            payment = await s.ask(GetPayment(payment_id=result.payment_id))
            (attempt,) = payment.attempts
            assert (attempt.status, attempt.provider) == ("SUCCEEDED", provider)
            refund = RefundOrder(order_id=payment.order_id, refund_id=new_id())
            assert (await s.ask(refund)).status == "COMPLETED"
        assert len(card.double.refunds) == 2
        assert len(wallet.double.refunds) == 1
        await books(s)


async def test_an_attempt_waits_for_its_own_provider(shop, bank) -> None:
    async with (
        providers(bank) as (card, _, settings),
        shop("payments", settings=settings) as s,
    ):
        asked = charge("pm_visa")
        settle = SettleAttempt(order_id=asked.order_id, attempt=1)
        card.double.fault = "lost"
        assert (await s.ask(asked)).status == "UNKNOWN"
        card.double.fault = ""
        for key, status in (("", "UNKNOWN"), (stripe.SECRET_KEY, "SUCCEEDED")):
            s.settings = s.settings.changed(stripe_secret_key=key)
            await s.kill("payments")
            await s.restart("payments")
            await insist(s, settle)
            found = await s.ask(GetPayment(payment_id=payment_id_of(asked.order_id)))
            assert (found.status, found.attempts[0].provider) == (status, "stripe")
        assert await card.taken(asked.order_id) == [1999]
        await books(s)


async def test_a_method_is_kept_at_its_provider_and_charged_there(shop, bank) -> None:
    async with (
        providers(bank) as (card, _, settings),
        shop("payments", settings=settings) as s,
    ):
        user_id, method_id = new_id(), new_id()
        kept = await s.ask(
            AddMethod(
                user_id=user_id,
                method_id=method_id,
                method="CREDIT_CARD",
                token="pm_visa",
            )
        )
        assert (kept.provider, kept.brand, kept.last4) == ("stripe", "visa", "4242")
        page = await s.ask(ListMethods(user_id=user_id))
        assert page.items == (kept,)
        asked = charge(None, payment_method_id=method_id, user_id=user_id)
        assert (await s.ask(asked)).status == "SUCCEEDED"
        (intent,) = card.double.intents.values()
        assert intent["form"]["customer"].startswith("cus_")


async def test_in_production_the_sandbox_takes_nothing(shop, bank) -> None:
    async with providers(bank) as (_, wallet, settings):
        values = {"profile": "production", "jwt_keys": "x", "stripe_secret_key": ""}
        async with shop("payments", settings=settings.changed(**values)) as s:
            for method, token in (("CREDIT_CARD", "tok_visa"), ("BANK_TRANSFER", "x")):
                with pytest.raises(Refusal) as refused:
                    await s.ask(charge(token, method=method))
                assert refused.value.code == "payment-method-unavailable"
            paid = await s.ask(charge(wallet.good(1999), method="PAYPAL"))
            assert paid.status == "SUCCEEDED"


def hook(name: str, body: bytes, headers: dict[str, str]) -> VerifyWebhook:
    return VerifyWebhook(
        delivery_id=new_id(), provider=name, body=body, headers=headers
    )


async def test_a_webhook_of_another_amount_pays_nothing(shop, bank) -> None:
    async with (
        providers(bank) as (_, wallet, settings),
        shop("payments", settings=settings) as s,
    ):
        asked = charge(wallet.good(1999), method="PAYPAL")
        wallet.double.fault = "refuse"
        assert (await s.ask(asked)).status == "UNKNOWN"
        wallet.double.fault = ""
        ask = charge_ask("", order_id=asked.order_id)
        for cents, status in ((100, "UNKNOWN"), (1999, "SUCCEEDED")):
            said = capture_of(replace(ask, amount=Money(cents, "USD")))
            facts = await s.ask(hook("paypal", *wallet.event("capture", said)))
            await s.ask(
                ApplyWebhook(
                    order_id=facts.order_id,
                    attempt=facts.attempt,
                    outcome=facts.outcome,
                    amount=facts.amount,
                ),
                id=facts.event_id,
            )
            assert (await s.ask(asked)).status == status


async def test_a_webhook_ends_a_refund(shop, bank) -> None:
    async with (
        providers(bank) as (card, _, settings),
        shop("payments", settings=settings) as s,
    ):
        paid = await s.ask(charge("pm_visa"))
        payment = await s.ask(GetPayment(payment_id=paid.payment_id))
        card.double.refund_status = "pending"
        back = RefundOrder(order_id=payment.order_id, refund_id=new_id())
        assert (await s.ask(back)).status == "PENDING"
        (refund,) = card.double.refunds.values()
        body, headers = card.event("refund.updated", {**refund, "status": "succeeded"})
        facts = await s.ask(hook("stripe", body, headers))
        for _ in range(2):
            await s.ask(
                CloseRefund(
                    order_id=facts.order_id,
                    refund_id=facts.refund_id,
                    outcome=facts.refund,
                ),
                id=facts.event_id,
            )
        payment = await s.ask(GetPayment(payment_id=paid.payment_id))
        assert (payment.status, payment.refunded) == ("REFUNDED", Money(1999, "USD"))
        with pytest.raises(Refusal):
            await s.ask(hook("nobody", body, headers))
        await books(s)


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"stripe_url": "http://api.stripe.com"}, "SOUK_STRIPE_URL"),
        ({"stripe_url": "ftp://127.0.0.1"}, "SOUK_STRIPE_URL"),
        ({"paypal_url": "https://user@api.paypal.com"}, "SOUK_PAYPAL_URL"),
        ({"paypal_client_id": "x"}, "SOUK_PAYPAL_CLIENT_SECRET"),
        (
            {"profile": "production", "stripe_secret_key": "sk"},
            "SOUK_STRIPE_WEBHOOK_SECRET",
        ),
    ],
)
def test_a_provider_is_set_up_wholly_or_not_at_all(values, line) -> None:
    base = Settings(jwt_keys="x", encryption_keys="x")
    with pytest.raises(SettingsError) as error:
        base.changed(**values)
    assert line in str(error.value)


def test_settings_show_no_secret() -> None:
    values = {
        "stripe_secret_key": "sk_live_1",
        "stripe_webhook_secret": "whsec_1",
        "paypal_client_id": "id",
        "paypal_client_secret": "secret-1",
    }
    shown = repr(Settings(**values))
    for secret in ("sk_live_1", "whsec_1", "secret-1"):
        assert secret not in shown


async def test_held_money_is_taken_or_let_go_at_its_own_provider(shop, bank) -> None:
    async with providers(bank) as (card, wallet, settings):
        settings_at_shipment = settings.changed(capture="shipment")
        async with shop("payments", settings=settings_at_shipment) as s:
            for teller, method in ((card, "CREDIT_CARD"), (wallet, "PAYPAL")):
                sold, unsold = (
                    charge(teller.good(1999, capture=False), method=method)
                    for _ in range(2)
                )
                for asked in (sold, unsold):
                    assert (await s.ask(asked)).status == "AUTHORIZED"
                taken = await s.ask(CapturePayment(order_id=sold.order_id))
                assert taken.status == "SUCCEEDED"
                gone = await s.ask(VoidPayment(order_id=unsold.order_id))
                assert gone.status == "VOIDED"
                back = RefundOrder(order_id=sold.order_id, refund_id=new_id())
                assert (await s.ask(back)).status == "COMPLETED"
                assert await teller.taken(sold.order_id) == [1999]
                assert await teller.given(sold.order_id) == [1999]
                assert await teller.taken(unsold.order_id) == []
            await books(s)


async def test_what_was_given_up_unheard_of_is_never_charged(shop, bank) -> None:
    async with (
        providers(bank) as (card, _, settings),
        shop("payments", settings=settings) as s,
    ):
        asked = charge("pm_visa")
        card.double.fault = "refuse"
        assert (await s.ask(asked)).status == "UNKNOWN"
        await s.ask(VoidPayment(order_id=asked.order_id))
        card.double.fault = ""
        await insist(s, SettleAttempt(order_id=asked.order_id, attempt=1))
        found = await s.ask(GetPayment(payment_id=payment_id_of(asked.order_id)))
        assert found.status == "VOIDED"
        assert card.double.intents == {}


async def test_each_providers_list_agrees_with_the_ledger(
    shop, bank, monkeypatch
) -> None:
    monkeypatch.setattr(Payments, "reconcile_lag", timedelta(0))
    monkeypatch.setattr(PayPal, "lag", timedelta(0))
    async with (
        providers(bank) as (card, wallet, settings),
        shop("payments", settings=settings) as s,
    ):
        for teller, method in ((card, "CREDIT_CARD"), (wallet, "PAYPAL")):
            asked = charge(teller.good(1999), method=method)
            await s.ask(asked)
            await s.ask(RefundOrder(order_id=asked.order_id, refund_id=new_id()))
        await asyncio.sleep(1.1)  # both count in whole seconds
        for name in ("stripe", "paypal"):
            view = await s.ask(Reconcile(provider=name), timeout_seconds=20)
            assert (view.transactions, view.matched, view.found) == (2, 2, 0)
