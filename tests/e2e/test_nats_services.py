"""Request and reply over NATS: who may ask what, and that twice acts once."""

import asyncio
import json
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import nats
import pytest

from tests.e2e import books
from tests.e2e.conftest import MakePerson
from tests.e2e.people import Person, Stranger, new_goods
from tests.e2e.shops import LiveShop
from tests.e2e.waiting import until
from tests.kit.schemas import check_event

REPLY_SECONDS_MAX = 15
REFUSED_SECONDS = 0.3


async def ask(
    shop: LiveShop, subject: str, /, user: str = "services", **body: Any
) -> Any:
    """What a service answers; a problem's headers must agree with its document."""
    async with shop.nats(user) as client:
        data = json.dumps(body).encode()
        message = await client.request(subject, data, timeout=REPLY_SECONDS_MAX)
    said = json.loads(message.data)
    code = (message.headers or {}).get("Nats-Service-Error-Code")
    assert code == (str(said["status"]) if "problem" in said or code else None)
    return said


async def test_stock_can_be_asked_for(live_shop: LiveShop, keeper: Person) -> None:
    sku = await new_goods(keeper, stock=4)
    said = await ask(live_shop, "inventory.get-stock", sku=sku)
    assert (said["sku"], said["available"]) == (sku, 4)
    unknown = await ask(live_shop, "inventory.get-stock", sku="NO-SUCH-SKU")
    assert (unknown["status"], unknown["code"]) == (404, "not-found")


async def test_a_payment_asked_for_twice_is_taken_once(live_shop: LiveShop) -> None:
    order_id = str(uuid4())
    body = {
        "order_id": order_id,
        "amount": {"amount": 1234, "currency": "USD"},
        "method": "CREDIT_CARD",
        "token": "tok_visa",
        "idempotency_key": uuid4().hex,
    }
    first, again = [await ask(live_shop, "payment.process", **body) for _ in range(2)]
    assert first == again
    assert first["status"] == "SUCCEEDED"
    [charge] = await books.charges(live_shop, order_id)
    assert charge["captured"] == 1234


async def test_a_mail_asked_for_twice_is_sent_once(
    live_shop: LiveShop, stranger: Stranger
) -> None:
    to = f"twice.{uuid4().hex[:8]}@mail.example"
    body = {
        "to": to,
        "template": "notification",
        "data": {"title": "Once only", "body": "Said twice.", "name": "Ida"},
        "idempotency_key": uuid4().hex,
    }
    for _ in range(2):
        assert "status" not in await ask(live_shop, "email.send", **body)
    # What is queued later and has come says that the earlier ones have come too.
    await ask(live_shop, "email.send", **{**body, "idempotency_key": uuid4().hex})

    async def come() -> list[Any] | None:
        mails = await stranger.mailbox(to)
        return mails if len(mails) >= 2 else None

    assert len(await until(come, "the mails")) == 2


async def test_a_notification_asked_for_twice_is_told_once(
    live_shop: LiveShop, customer: MakePerson
) -> None:
    person = await customer()
    body = {
        "user_id": person.id,
        "type": "SYSTEM_ALERT",
        "title": "We close early",
        "idempotency_key": uuid4().hex,
    }
    for _ in range(2):
        assert "status" not in await ask(live_shop, "notification.send", **body)
    [only] = await person.told("SYSTEM_ALERT")
    assert only["title"] == "We close early"


@pytest.mark.full
async def test_a_key_is_known_when_the_bridge_has_died(
    live_shop: LiveShop, customer: MakePerson
) -> None:
    person = await customer()
    body = {
        "user_id": person.id,
        "type": "SYSTEM_ALERT",
        "title": "Once only",
        "idempotency_key": uuid4().hex,
    }
    first = await ask(live_shop, "notification.send", **body)
    await live_shop.kill("bridge/0")

    async def again() -> Any:
        try:
            return await ask(live_shop, "notification.send", **body)
        except (nats.errors.NoRespondersError, nats.errors.TimeoutError):
            return None

    assert await until(again, "an answer", seconds=60) == first
    other = await ask(live_shop, "notification.send", **{**body, "title": "Twice"})
    assert (other["status"], other["code"]) == (422, "idempotency-key-reused")
    [only] = await person.told("SYSTEM_ALERT")
    page = await ask(live_shop, "notification.get-user", user_id=person.id)
    assert [one["id"] for one in page["items"]] == [only["id"]]
    ids = {"user_id": person.id, "notification_id": only["id"]}
    read = await ask(live_shop, "notification.mark-read", **ids)
    [only] = await person.told("SYSTEM_ALERT")
    assert only["read_at"] == read["read_at"]


async def test_mails_and_sms_say_what_they_are_given(
    live_shop: LiveShop, stranger: Stranger
) -> None:
    to, phone = f"w.{uuid4().hex[:8]}@mail.example", f"+4917{uuid4().int % 10**8:08}"
    written = {"to": to, "subject": "By hand", "text": "One\nTwo"}
    assert await ask(live_shop, "email.send", **written) == {}
    data = {"title": "By template", "body": "Said so.", "name": "Ida"}
    template = {"to": to, "template": "notification", "data": data}
    assert await ask(live_shop, "email.send-template", **template) == {}
    assert await ask(live_shop, "sms.send", to=phone, text="At the door") == {}

    async def come() -> list[Any] | None:
        mails, sms = await stranger.mailbox(to), await stranger.mailbox(quote(phone))
        return [*mails, *sms] if len(mails) == 2 and sms else None

    came = await until(come, "the mails and the SMS")
    assert sorted(one["subject"] for one in came) == ["", "By hand", "By template"]
    (sms,) = [one for one in came if one["channel"] == "sms"]
    assert (sms["to"], sms["text"]) == (phone, "At the door")
    unknown = await ask(live_shop, "email.send-template", to=to, template="none")
    assert (unknown["status"], unknown["code"]) == (422, "template-unknown")


async def test_a_new_order_is_told_to_its_buyer_once(
    live_shop: LiveShop, customer: MakePerson, keeper: Person
) -> None:
    sku = await new_goods(keeper, stock=2)
    person = await customer()
    placed = (await person.order((sku, 1))).ok(201)
    for _ in range(2):
        said = await ask(live_shop, "notification.order-created", order_id=placed["id"])
        assert said == {}
    [only] = await person.told("ORDER_UPDATE")
    assert only["title"] == f"We have received your order {placed['number']}"


async def test_every_event_of_the_stream_is_what_is_published(
    live_shop: LiveShop, customer: MakePerson, keeper: Person
) -> None:
    sku = await new_goods(keeper, stock=2)
    placed = (await (await customer()).order((sku, 1))).ok(201)
    await live_shop.rest()
    events = await live_shop.events()
    assert placed["id"] in {event["subject"] for event in events}
    for event in events:
        domain, kind, _ = event["type"].split(".")
        assert event.pop("nats_subject") == f"events.{domain}.{kind}"
        check_event(event)


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("inventory.get-stock", {"sku": "X", "more": 1}),
        ("inventory.get-stock", {"sku": 5}),
        ("payment.process", {"order_id": "no-uuid"}),
        ("email.send", {"to": "nobody", "template": "notification"}),
        ("notification.send", {"user_id": str(uuid4()), "type": "NONSENSE"}),
    ],
)
async def test_a_bad_request_gets_a_problem_document(
    live_shop: LiveShop, subject: str, body: dict[str, Any]
) -> None:
    said = await ask(live_shop, subject, **body)
    assert said["status"] == 422
    assert said["code"]


async def test_services_can_be_discovered(live_shop: LiveShop) -> None:
    async with live_shop.nats("services") as client:
        inbox = client.new_inbox()
        replies = await client.subscribe(inbox)
        await client.publish("$SRV.INFO", b"", reply=inbox)
        names = set[str]()
        while not {"inventory", "payment", "notification", "email", "sms"} <= names:
            message = await replies.next_msg(timeout=REPLY_SECONDS_MAX)
            names.add(json.loads(message.data)["name"])


@pytest.mark.parametrize(
    "subject", ["events.orders.order_placed", "$JS.API.STREAM.DELETE.EVENTS", "a.b"]
)
async def test_who_calls_services_may_say_nothing_else(
    live_shop: LiveShop, subject: str
) -> None:
    await _is_refused(live_shop, "services", subject)


@pytest.mark.parametrize(
    "subject",
    [
        "events.orders.order_placed",
        "payment.process",
        "$JS.API.STREAM.DELETE.EVENTS",
        "$JS.API.STREAM.PURGE.EVENTS",
        "$JS.API.CONSUMER.DELETE.EVENTS.notifications",
        "$JS.API.CONSUMER.MSG.NEXT.EVENTS.notifications",
    ],
)
async def test_who_reads_events_changes_nothing(
    live_shop: LiveShop, subject: str
) -> None:
    await _is_refused(live_shop, "events", subject)


async def test_a_caller_may_call_what_it_is_named_for(
    live_shop: LiveShop, keeper: Person
) -> None:
    sku = await new_goods(keeper, stock=4)
    said = await ask(live_shop, "inventory.get-stock", user="inventory", sku=sku)
    assert said["available"] == 4
    await _is_refused(live_shop, "inventory", "payment.process")
    await _is_refused(live_shop, "payments", "inventory.get-stock")
    await _is_refused(live_shop, "messages", "payment.process")


async def _is_refused(shop: LiveShop, user: str, subject: str) -> None:
    """Nobody answers, and the server says that it may not be said."""
    refusals: list[str] = []

    async def note(error: Exception) -> None:
        refusals.append(str(error).lower())

    client = await nats.connect(shop.credentials[f"nats {user}"], error_cb=note)
    try:
        with pytest.raises((nats.errors.TimeoutError, nats.errors.NoRespondersError)):
            await client.request(subject, b"{}", timeout=REFUSED_SECONDS)
        await asyncio.wait_for(client.flush(), REPLY_SECONDS_MAX)
    finally:
        await client.close()
    assert any("permissions violation" in one for one in refusals), refusals
