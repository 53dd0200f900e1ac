"""The provider `stripe` against localstripe, a double that others have written.

It knows statuses, cards and webhooks, and ignores idempotency keys; what hangs on those
is tried against the double that replays.
"""

import asyncio
import subprocess
import sys
import time

import aiohttp
import pytest
from aiohttp import web

from actors.payments.stripe import Stripe
from bus.kit.addressing import new_id
from bus.kit.settings import Settings
from tests.conftest import free_port
from tests.payments.doubles.weather import Moment
from tests.payments.support import ROOT, until
from tests.payments.tellers import (
    WEBHOOK_SECRET,
    Log,
    capture_ask,
    charge_ask,
    refund_ask,
    void_ask,
)

THREE_D_SECURE = "4000002500003155"
DECLINES = "4000000000000341"
KEY = "sk_test_12345"


@pytest.fixture(scope="module")
def process():
    """The address of a process of localstripe's."""
    port = free_port()
    command = (sys.executable, "-m", "tests.payments.doubles.local_stripe", str(port))
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as running:
        yield f"http://127.0.0.1:{port}"
        running.terminate()


@pytest.fixture(scope="module")
async def url(process):
    """Where localstripe answers."""

    async def answers() -> bool:
        try:
            return await call(f"{process}/v1/refunds", None) is not None
        except aiohttp.ClientError:
            return False

    await until(answers)
    return process


@pytest.fixture
async def provider(url):
    """The shop's client."""
    settings = Settings(
        stripe_url=url, stripe_secret_key=KEY, stripe_webhook_secret=WEBHOOK_SECRET
    )
    client = Stripe(settings, Log(), 5.0, Moment(time.time()))
    yield client
    await client.close()


async def call(address: str, form: dict[str, str] | None):
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as session,
        session.request("POST" if form else "GET", address, data=form) as response,
    ):
        return await response.json()


async def card(url: str, number: str) -> str:
    """A card as Stripe's script in a shop's page would send it."""
    form = {
        "type": "card",
        "card[number]": number,
        "card[exp_month]": "12",
        "card[exp_year]": "2030",
        "card[cvc]": "123",
    }
    made = await call(f"{url}/v1/payment_methods", form)
    method_id: str = made["id"]
    return method_id


async def test_cards_are_charged_or_declined(provider, url) -> None:
    good = charge_ask("pm_card_visa")
    paid = await provider.charge(good)
    assert paid.status == "SUCCEEDED"
    found = await provider.find_charge(
        charge_ask("", key=good.key, reference=paid.reference)
    )
    assert found == paid
    bad = await provider.charge(charge_ask(await card(url, DECLINES)))
    assert (bad.status, bad.decline_code) == ("DECLINED", "card-declined")
    asks = await provider.charge(charge_ask(await card(url, THREE_D_SECURE)))
    assert (asks.status, asks.decline_code) == ("DECLINED", "authentication-required")
    back = refund_ask(good, paid.reference, 900)
    given = await provider.refund(back)
    assert given.status == "COMPLETED"
    assert await provider.find_refund(back) == given
    never = refund_ask(good, paid.reference, 1)
    assert await provider.find_refund(never) is None


async def test_money_is_held_then_taken_or_let_go(provider) -> None:
    for end, status in (("capture", "SUCCEEDED"), ("void", "DECLINED")):
        ask = charge_ask("pm_card_visa", capture=False)
        held = await provider.authorize(ask)
        assert held.status == "AUTHORIZED"
        if end == "capture":
            ended = await provider.capture(capture_ask(ask, held.reference, 1999))
        else:
            ended = await provider.void(void_ask(ask, held.reference))
        assert (ended.status, ended.reference) == (status, held.reference)
        found = await provider.find_charge(
            charge_ask("", key=ask.key, reference=held.reference)
        )
        assert found == ended


async def test_a_card_is_kept_and_charged_again(provider, url) -> None:
    token, owner = await card(url, "4242424242424242"), new_id()
    facts = await provider.describe(token, owner)
    assert await provider.describe(token, owner) == facts
    assert await provider.describe(token, new_id()) is None
    assert (facts.brand, facts.last4, facts.exp_year) == ("visa", "4242", 2030)
    assert (await provider.charge(charge_ask(facts.token))).status == "SUCCEEDED"
    for _ in range(2):
        await provider.forget(facts.token)
    assert await provider.describe(token, new_id()) is not None  # nobody's again


async def test_its_webhooks_are_genuine(provider, url) -> None:
    heard: asyncio.Queue = asyncio.Queue()

    async def take(request: web.Request) -> web.Response:
        signature = request.headers["Stripe-Signature"]
        await heard.put((await request.read(), {"stripe-signature": signature}))
        return web.Response()

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        hook = {"url": f"http://127.0.0.1:{port}/", "secret": WEBHOOK_SECRET}
        async with aiohttp.ClientSession() as session:
            await session.post(f"{url}/_config/webhooks/shop", data=hook)
        ask = charge_ask("pm_card_visa")
        await provider.charge(ask)
        facts = None
        while facts is None or facts.order_id != ask.order_id:
            body, headers = await asyncio.wait_for(heard.get(), 5)
            facts = await provider.verify_webhook(body, headers, time.time())
        assert facts.outcome.status == "SUCCEEDED"
    finally:
        await runner.cleanup()
