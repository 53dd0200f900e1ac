"""Coming back to an order over HTTP: found by mail, paid again, followed."""

from typing import Any
from uuid import uuid4

import pytest

from bus.messaging import ListMailbox
from bus.payments import ApplyWebhook, AttemptStatus, Outcome
from tests.edge.front import CARD, Front, Person, key, order
from tests.payments.support import until

DECLINED = {"payment": {**CARD, "token": "tok_declined"}}
VISA = {"payment": CARD}
GUS = "gus.returning@example.com"


async def unpaid(front: Front, person: Person, sku: str, **more: Any) -> Any:
    """An order whose first attempt was accepted, and declined later."""
    later = {"payment": {**CARD, "token": "tok_pending_declined"}}
    made = await person.call("POST /orders", 202, order((sku, 1), **later, **more))
    declined = Outcome(status=AttemptStatus.DECLINED, decline_code="card-declined")
    webhook = ApplyWebhook(order_id=made["id"], attempt=1, outcome=declined)
    await front.shop.ask(webhook)
    look = "UPDATE due SET at = now() WHERE name = $1"
    await front.shop.rows("orders", look, f"look:{made['id']}")
    admin = await front.person("ADMIN")

    async def told() -> bool:
        found = await admin.call(f"GET /orders/{made['id']}", 200)
        return bool(found["payment"]["status"] == "DECLINED")

    await until(told)
    return made


async def test_an_order_whose_payment_failed_is_paid_again(front: Front) -> None:
    (a,) = await front.goods(5)
    ada = await front.person()
    made = await unpaid(front, ada, a)
    place, pay = f"/orders/{made['id']}", f"POST /orders/{made['id']}/payment"
    problem = await ada.call(pay, 402, DECLINED)
    assert (problem["code"], problem["order_id"]) == ("payment-declined", made["id"])
    assert problem["decline_code"] == "card-declined"
    waits = await ada.call(f"GET {place}", 200)
    assert (waits["status"], waits["payment"]["status"]) == ("PENDING", "DECLINED")
    assert await front.available(a) == 4
    once = key()
    paid = await ada.call(pay, 200, VISA, **once)
    assert (paid["status"], paid["payment"]["status"]) == ("CONFIRMED", "SUCCEEDED")
    assert await ada.call(pay, 200, VISA, **once) == paid
    assert await ada.code(pay, 422, DECLINED, **once) == "idempotency-key-reused"
    assert await ada.code(pay, 409, VISA) == "not-payable"
    (payment,) = (await ada.call(f"GET /payments?order_id={made['id']}", 200))["items"]
    assert [one["status"] for one in payment["attempts"]] == [
        *("DECLINED", "DECLINED", "SUCCEEDED")
    ]
    assert payment["captured"] == made["totals"]["grand"]
    steps = (await ada.call(f"GET {place}/timeline", 200))["items"]
    assert [(one["reason"], one["actor"]) for one in steps] == [
        ("placed", "CUSTOMER"),
        ("payment-pending", "SYSTEM"),
        ("payment-declined", "SYSTEM"),
        ("payment-begun", "CUSTOMER"),
        ("payment-declined", "SYSTEM"),
        ("payment-begun", "CUSTOMER"),
        ("paid", "SYSTEM"),
    ]


async def test_an_open_attempt_leaves_no_room_for_another(front: Front) -> None:
    (a,) = await front.goods(5)
    ada = await front.person()
    later = {"payment": {**CARD, "token": "tok_pending_60000"}}
    made = await ada.call("POST /orders", 202, order((a, 1), **later))
    pay = f"POST /orders/{made['id']}/payment"
    assert await ada.code(pay, 409, VISA) == "payment-in-progress"
    made = await unpaid(front, ada, a)
    pay = f"POST /orders/{made['id']}/payment"
    again = await ada.call(pay, 202, later)
    assert ada.headers["location"] == f"/orders/{made['id']}"
    assert (again["status"], again["payment"]["status"]) == ("PENDING", "PENDING")
    assert await ada.code(pay, 409, VISA) == "payment-in-progress"
    cancelled = await ada.call(f"PUT /orders/{made['id']}/cancel", 200)
    assert cancelled["status"] == "CANCELLED"
    assert await ada.code(pay, 409, VISA) == "not-payable"


async def test_only_its_owner_pays_an_order(front: Front) -> None:
    sam = await front.person("SELLER")
    (a,) = await front.goods(5, seller=sam)
    ada, bob = await front.person(), await front.person()
    admin, tom = await front.person("ADMIN"), await front.person("SELLER")
    made = await unpaid(front, ada, a)
    pay = f"POST /orders/{made['id']}/payment"
    forged = front.guest.holding(X_Order_Token="x" * 43)
    for other in (bob, tom, front.guest, forged):
        assert await other.code(pay, 404, VISA) == "not-found"
    for staff in (admin, sam):
        assert await staff.code(pay, 403, VISA) == "forbidden"
    assert await ada.code(f"POST /orders/{uuid4()}/payment", 404, VISA) == "not-found"
    number = {"payment": {**CARD, "token": "4012888888881881"}}
    assert await ada.code(pay, 422, number) == "card-number-refused"
    stored = {"payment": {"method": "CREDIT_CARD", "payment_method_id": str(uuid4())}}
    assert await ada.code(pay, 404, stored) == "not-found"
    (payment,) = (await ada.call(f"GET /payments?order_id={made['id']}", 200))["items"]
    assert payment["captured"]["amount"] == 0


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["payment"]),
        ({"payment": {"method": "GOLD", "token": "t"}}, ["payment.method"]),
        ({"payment": {"method": "CREDIT_CARD"}}, ["payment"]),
        ({**VISA, "amount": 1}, ["amount"]),
    ],
)
async def test_a_bad_payment_is_refused(
    front: Front, body: Any, fields: list[str]
) -> None:
    assert await front.guest.wrong(f"POST /orders/{uuid4()}/payment", body) == fields


async def test_a_guest_finds_an_order_by_mail_and_pays_it(front: Front) -> None:
    (a,) = await front.goods(5)
    made = await unpaid(front, front.guest, a, email=GUS)
    body = {"number": made["number"].replace("-", ""), "email": GUS.upper()}
    assert await front.guest.call("POST /orders/lookup", 202, body, **key()) is None
    token = await token_mailed(front, GUS)
    gus = front.guest.holding(X_Order_Token=token)
    place = f"/orders/{made['id']}"
    assert (await gus.call(f"GET {place}", 200))["number"] == made["number"]
    await gus.call(f"GET {place}/timeline", 200)
    assert (await gus.call(f"POST {place}/payment", 200, VISA))["status"] == "CONFIRMED"
    first = front.guest.holding(X_Order_Token=made["order_token"])
    await first.call(f"GET {place}", 200)
    assert await gus.code(f"GET /orders/{uuid4()}", 404) == "not-found"


async def token_mailed(front: Front, to: str) -> str:
    """The token in the link that was mailed."""

    async def mailed() -> Any:
        page = await front.shop.ask(ListMailbox(to=to))
        return [m.text for m in page.items if "#order_token=" in m.text]

    (text, *_) = await until(mailed)
    return str(text.partition("#order_token=")[2].split()[0])


async def test_a_lookup_says_the_same_to_everybody(front: Front) -> None:
    (a,) = await front.goods(5)
    made = await front.guest.call("POST /orders", 201, order((a, 1), email=GUS))
    ada = await front.person()
    answers = set()
    for who in (front.guest, ada, await front.person("ADMIN")):
        for number, email in (
            (made["number"], GUS),
            (made["number"], "other@example.com"),
            ("000-000-000", GUS),
        ):
            body = {"number": number, "email": email}
            answer = await who.call("POST /orders/lookup", 202, body)
            answers.add((str(answer), tuple(sorted(who.headers))))
    assert len(answers) == 1
    page = await front.shop.ask(ListMailbox(to="other@example.com"))
    assert page.items == ()


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["number", "email"]),
        ({"number": "12", "email": GUS}, ["number"]),
        ({"number": "123-456-78x", "email": GUS}, ["number"]),
        ({"number": "123-456-789", "email": "nobody"}, ["email"]),
        ({"number": "123-456-789", "email": GUS, "to": GUS}, ["to"]),
    ],
)
async def test_a_bad_lookup_is_refused(
    front: Front, body: Any, fields: list[str]
) -> None:
    assert await front.guest.wrong("POST /orders/lookup", body) == fields


async def test_a_seller_sees_the_sum_of_own_lines_and_no_payment(front: Front) -> None:
    sam, tom = await front.person("SELLER"), await front.person("SELLER")
    (a,) = await front.goods(5, seller=sam)
    (b,) = await front.goods(5, seller=tom)
    ada, admin = await front.person(), await front.person("ADMIN")
    made = await ada.call("POST /orders", 201, order((a, 2), (b, 1)))
    place = f"/orders/{made['id']}"
    seen = await sam.call(f"GET {place}", 200)
    assert seen["totals"]["grand"]["amount"] == 2000
    assert (seen["payment"], seen["user_id"]) == (None, None)
    assert seen["shipping_address"] == made["shipping_address"]
    payment = f"POST /payments/{made['payment']['id']}/refunds"
    refund = {"reason": "a scratch", "amount": {"amount": 500, "currency": "USD"}}
    given = await admin.call(payment, 201, refund)
    assert given["actor_id"] == str(admin.user_id)
    await heard(front, made["id"])
    last = (await steps(admin, place))[-1]
    assert (last["actor"], last["actor_id"]) == ("ADMIN", str(admin.user_id))
    kept = f"GET /payments/{made['payment']['id']}"
    listed = f"GET /payments?order_id={made['id']}"
    for who, shown in ((ada, None), (admin, str(admin.user_id))):
        one = await who.call(kept, 200)
        assert [it["actor_id"] for it in one["refunds"]] == [shown]
        assert (await who.call(listed, 200))["items"] == [one]
    assert (await ada.call(f"GET {place}", 200))["status"] == "PARTIALLY_REFUNDED"
    packed = await sam.call(f"PUT {place}/status", 200, {"status": "PROCESSING"})
    assert packed["status"] == "PARTIALLY_REFUNDED"
    assert [line["status"] for line in packed["items"]] == ["PROCESSING"]
    told = [one["reason"] for one in await steps(sam, place)]
    assert told == ["placed", "paid", "processing"]
    assert [one["reason"] for one in await steps(ada, place)] == [
        *("placed", "paid", "refunded", "processing")
    ]
    found = await ada.call("GET /orders?status=PARTIALLY_REFUNDED", 200)
    assert [one["id"] for one in found["items"]] == [made["id"]]
    hers = await admin.call(f"GET /orders?user_id={ada.user_id}", 200)
    assert [one["id"] for one in hers["items"]] == [made["id"]]
    others = await sam.call(f"GET /orders?user_id={tom.user_id}", 200)
    assert [one["id"] for one in others["items"]] == [made["id"]]


async def heard(front: Front, order_id: str) -> None:
    """Orders has heard that money of an order went back."""

    async def told() -> Any:
        kind = "payments.refund_completed.v1"
        return [
            event
            for event in front.shop.published
            if event["type"] == kind and event["data"]["order_id"] == order_id
        ]

    (event,) = await until(told)
    await front.shop._deliver(event)


async def steps(person: Person, place: str) -> list[Any]:
    """The timeline of an order."""
    return list((await person.call(f"GET {place}/timeline", 200))["items"])


async def test_a_seller_who_buys_sees_the_own_order_whole(front: Front) -> None:
    sam = await front.person("SELLER")
    (a,) = await front.goods(5)
    made = await sam.call("POST /orders", 201, order((a, 1)))
    page = await sam.call("GET /orders", 200)
    assert [one["id"] for one in page["items"]] == [made["id"]]
    assert page["items"][0]["payment"]["status"] == "SUCCEEDED"
