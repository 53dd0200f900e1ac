"""A stranger buys, and every book of the shop agrees with every other."""

import json
from typing import Any

from tests.e2e import books
from tests.e2e.conftest import MakePerson
from tests.e2e.people import ADDRESS, Person, Stranger, new_goods
from tests.e2e.shops import LiveShop
from tests.e2e.waiting import until


async def test_a_stranger_buys_and_every_book_agrees(
    live_shop: LiveShop, stranger: Stranger, keeper: Person
) -> None:
    lamp = await new_goods(keeper, stock=10, amount=1500, name="Obsidian Reading Lamp")
    rug = await new_goods(keeper, stock=10, amount=2500)
    person = await _become_a_customer(stranger)
    await _find(stranger, "obsidian reading", lamp)
    await stranger.put_in_cart(lamp, 1)
    await person.put_in_cart(lamp, 1)
    await person.put_in_cart(rug, 2)
    merge = {"cart_token": stranger.cart_token}
    merged = (await person.call("POST", "/cart/merge", merge)).ok(200)
    assert {line["sku"]: line["quantity"] for line in merged["items"]} == {
        lamp: 2,
        rug: 2,
    }

    answer = await person.order()

    order = answer.ok(201)
    assert order["status"] == "CONFIRMED"
    assert order["totals"]["grand"] == {"amount": 8000, "currency": "USD"}
    assert answer.headers["Location"] == f"/orders/{order['id']}"
    assert (await person.get("/cart"))["items"] == []
    await _check_databases(live_shop, order, {lamp: 2, rug: 2})
    await _check_bank(live_shop, order)
    await _check_history(person, order)
    await _check_mail_and_notifications(person, order)
    await _check_stream(live_shop, person, order, [lamp, rug])


async def _become_a_customer(stranger: Stranger) -> Person:
    person = await Person.register(stranger)
    code = {"email": person.email, "code": await person.mailed_code()}
    (await stranger.call("POST", "/auth/verify-email", code)).ok(204)
    user = (await person.log_in())["user"]
    assert user["email_verified"] is True
    assert user["role"] == "CUSTOMER"
    return person


async def _find(stranger: Stranger, words: str, sku: str) -> None:
    async def look() -> bool:
        page = await stranger.get(f"/products?q={words.replace(' ', '+')}")
        return any(sku in json.dumps(item) for item in page["items"])

    await until(look, f"{sku} by searching for {words}", seconds=5)


async def _check_databases(
    shop: LiveShop, order: dict[str, Any], bought: dict[str, int]
) -> None:
    async def sold() -> bool:
        found = await books.holds(shop, order["id"])
        return found == {sku: ("COMMITTED", n) for sku, n in bought.items()}

    await until(sold, "the pieces become sold")
    for sku, quantity in bought.items():
        assert await books.stock(shop, sku) == (10, quantity)
        assert await books.replayed(shop, sku) == (10, quantity)
    row = await books.order_row(shop, order["id"])
    assert (row["status"], row["grand_amount"]) == ("CONFIRMED", 8000)
    payment = await books.payment_row(shop, order["id"])
    assert str(payment["id"]) == order["payment"]["id"]
    assert (payment["captured_minor"], payment["refunded_minor"]) == (8000, 0)
    lines, total = await books.ledger_sum(shop, payment["id"])
    assert lines >= 2
    assert total == 0


async def _check_bank(shop: LiveShop, order: dict[str, Any]) -> None:
    [charge] = await books.charges(shop, order["id"])
    assert charge["status"] == "succeeded"
    assert (charge["captured"], charge["refunded"], charge["currency"]) == (
        8000,
        0,
        "USD",
    )


async def _check_history(person: Person, order: dict[str, Any]) -> None:
    [listed] = (await person.get("/orders"))["items"]
    shown = await person.get(f"/orders/{order['id']}")
    assert listed["id"] == shown["id"] == order["id"]
    assert shown["number"] == order["number"]
    assert shown["shipping_address"]["line1"] == ADDRESS["line1"]
    timeline = (await person.get(f"/orders/{order['id']}/timeline"))["items"]
    assert [entry["status"] for entry in timeline] == ["PENDING", "CONFIRMED"]


async def _check_mail_and_notifications(person: Person, order: dict[str, Any]) -> None:
    number = order["number"].lower()
    [mail] = await until(lambda: person.mailbox(person.email, number), "a mail")
    assert "confirmed" in mail["subject"].lower()

    async def told() -> bool:
        kinds = sorted(one["type"] for one in await person.told())
        return kinds == ["ORDER_CONFIRMATION", "PAYMENT_SUCCESS"]

    await until(told, "two notifications")


async def _check_stream(
    shop: LiveShop, person: Person, order: dict[str, Any], skus: list[str]
) -> None:
    await books.told(shop, order["id"], "order_placed", "order_confirmed")
    await books.told(shop, order["payment"]["id"], "payment_succeeded")
    for sku in skus:
        came = ("stock_adjusted", "stock_replenished")
        await books.told(shop, sku, *came, "stock_reserved", "stock_committed")
    await books.told(shop, person.id, "user_registered", "email_verified")
    events = await shop.events()
    books.check_stream(events)
    text = json.dumps(events)
    for secret in (person.email, ADDRESS["name"], ADDRESS["line1"], "Marlowe"):
        assert secret not in text
    for event in events:
        assert event["specversion"] == "1.0"
        assert event["nats_subject"] == f"events.{event['type'].rsplit('.v', 1)[0]}"
        assert event["source"] == f"/{event['type'].split('.')[0]}"


async def test_a_declined_card_leaves_the_stock_free_and_the_cart_as_it_was(
    live_shop: LiveShop, customer: MakePerson, keeper: Person
) -> None:
    sku = await new_goods(keeper, stock=3)
    person = await customer()
    await person.put_in_cart(sku, 2)

    answer = await person.order(token="tok_declined")

    assert (answer.status, answer.code) == (402, "payment-declined")
    order_id = answer.body["order_id"]
    assert (await person.get(f"/orders/{order_id}"))["status"] == "CANCELLED"
    assert await books.stock(live_shop, sku) == (3, 0)
    [charge] = await books.charges(live_shop, order_id)
    assert (charge["status"], charge["captured"]) == ("declined", 0)
    [line] = (await person.get("/cart"))["items"]
    assert (line["sku"], line["quantity"]) == (sku, 2)
    await until(lambda: person.told("PAYMENT_FAILURE"), "the failed payment is told")
    assert await person.told("ORDER_CONFIRMATION") == []


async def test_short_stock_is_refused_with_each_short_line_named(
    live_shop: LiveShop, customer: MakePerson, keeper: Person
) -> None:
    plenty, few, fewer = [await new_goods(keeper, stock=n) for n in (9, 2, 1)]
    person = await customer()

    answer = await person.order((plenty, 3), (few, 3), (fewer, 3))

    assert (answer.status, answer.code) == (409, "out-of-stock")
    assert {error["field"] for error in answer.body["errors"]} == {few, fewer}
    for sku, count in ((plenty, 9), (few, 2), (fewer, 1)):
        assert await books.stock(live_shop, sku) == (count, 0)
    assert await books.charges(live_shop, answer.body["order_id"]) == []


async def test_a_cancelled_order_gives_stock_and_money_back(
    live_shop: LiveShop, customer: MakePerson, keeper: Person
) -> None:
    sku = await new_goods(keeper, stock=5, amount=700)
    person = await customer()
    order = (await person.order((sku, 4))).ok(201)

    cancelled = await person.call("PUT", f"/orders/{order['id']}/cancel")

    assert cancelled.ok(200)["status"] in ("CANCELLED", "REFUNDED")

    async def given_back() -> bool:
        [charge] = await books.charges(live_shop, order["id"])
        return bool(charge["refunded"] == 2800)

    await until(given_back, "the money in the bank")
    assert await books.stock(live_shop, sku) == (5, 0)
    assert await books.replayed(live_shop, sku) == (5, 0)
    payment = await books.payment_row(live_shop, order["id"])
    assert payment["refunded_minor"] == payment["captured_minor"] == 2800
    assert (await books.ledger_sum(live_shop, payment["id"]))[1] == 0
    again = await person.call("PUT", f"/orders/{order['id']}/cancel")
    assert again.status in (200, 409)
    [charge] = await books.charges(live_shop, order["id"])
    assert charge["refunded"] == 2800
    await until(lambda: person.told("ORDER_UPDATE"), "the cancelling is told")


async def test_a_guest_buys_with_an_address_alone_and_sees_the_order_by_its_token(
    live_shop: LiveShop, stranger: Stranger, keeper: Person
) -> None:
    sku = await new_goods(keeper, stock=2)
    await stranger.put_in_cart(sku, 1)
    email = f"guest.{sku.lower()}@mail.example"

    order = (await stranger.order(email=email)).ok(201)

    assert order["status"] == "CONFIRMED"
    path = f"/orders/{order['id']}"
    assert (await stranger.call("GET", path)).status in (401, 404)
    shown = await stranger.get(path, X_Order_Token=order["order_token"])
    assert shown["number"] == order["number"]
    row = await books.order_row(live_shop, order["id"])
    assert row["user_id"] is None
    assert order["order_token"].encode() not in row["token_hash"]
    number = order["number"].lower()
    await until(lambda: stranger.mailbox(email, number), "the guest's mail")
