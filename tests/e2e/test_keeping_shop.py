"""The shop's keeper: goods, stock, and an order's way to its buyer."""

from typing import Any
from uuid import uuid4

from tests.e2e import books
from tests.e2e.conftest import MakePerson
from tests.e2e.people import Person, Stranger, new_goods
from tests.e2e.shops import LiveShop
from tests.e2e.waiting import until

PARCEL = {
    "status": "SHIPPED",
    "carrier": "Harbour Post",
    "tracking_number": "HP-0042-7781",
}


async def test_a_new_product_can_be_seen_stocked_and_bought_at_once(
    live_shop: LiveShop, stranger: Stranger, keeper: Person
) -> None:
    sku = f"E2E-{uuid4().hex[:10].upper()}"
    price = {"amount": 4200, "currency": "USD"}
    product = {
        "name": "Tide Clock",
        "description": "Shows the water, not the hour.",
        "variants": [{"sku": sku, "price": price}],
    }
    answer = await keeper.call("POST", "/products", product)
    made = answer.ok(201)
    assert answer.headers["Location"] == f"/products/{made['id']}"
    counted = {"on_hand": 1, "reason": "counted"}
    (await keeper.call("PUT", f"/inventory/{sku}", counted)).ok(200)

    shown = await stranger.get(f"/products/{made['id']}")

    assert shown["variants"][0]["price"] == price
    assert await stranger.get(f"/inventory/{sku}") == {"sku": sku, "available": 1}
    order = (await stranger.order((sku, 1), email="tide@mail.example")).ok(201)
    assert order["items"][0]["name"] == "Tide Clock"
    assert await books.stock(live_shop, sku) == (1, 1)


async def test_mail_and_notifications_follow_an_order_to_its_door(
    live_shop: LiveShop, customer: MakePerson, keeper: Person
) -> None:
    sku = await new_goods(keeper, stock=6)
    person = await customer()
    order = (await person.order((sku, 2))).ok(201)
    path = f"/orders/{order['id']}/status"

    too_early = await keeper.call("PUT", path, {"status": "DELIVERED"})
    assert too_early.status == 409
    for step in ({"status": "PROCESSING"}, PARCEL, {"status": "DELIVERED"}):
        moved = (await keeper.call("PUT", path, step)).ok(200)
        assert moved["status"] == step["status"]

    assert moved["shipments"][0]["tracking_number"] == PARCEL["tracking_number"]
    assert await books.stock(live_shop, sku) == (4, 0)
    steps = ("placed", "confirmed", "processing", "shipped", "delivered")
    await books.told(live_shop, order["id"], *(f"order_{step}" for step in steps))
    await _is_told_of_each_step(person, order)
    late = await person.call("PUT", f"/orders/{order['id']}/cancel")
    assert (late.status, late.code) == (409, "not-cancellable")


async def _is_told_of_each_step(person: Person, order: dict[str, Any]) -> None:
    async def told() -> bool:
        kinds = [one["type"] for one in await person.told()]
        return sorted(kinds) == [
            "ORDER_CONFIRMATION",
            "PAYMENT_SUCCESS",
            "SHIPPING_UPDATE",
            "SHIPPING_UPDATE",
        ]

    await until(told, "a notification of each step")

    async def mailed() -> list[Any] | None:
        mails = await person.mailbox(person.email, order["number"].lower())
        return mails if len(mails) == 3 else None

    texts = [mail["text"] for mail in await until(mailed, "a mail of each step")]
    assert sum(PARCEL["tracking_number"] in text for text in texts) == 1


async def test_only_the_keeper_moves_orders_and_counts_stock(
    customer: MakePerson, keeper: Person
) -> None:
    sku = await new_goods(keeper, stock=2)
    person = await customer()
    order = (await person.order((sku, 1))).ok(201)

    moved = await person.call("PUT", f"/orders/{order['id']}/status", PARCEL)
    counted = await person.call(
        "PUT", f"/inventory/{sku}", {"on_hand": 99, "reason": "mine"}
    )
    made = await person.call("POST", "/products", {})

    assert [moved.status, counted.status, made.status] == [403, 403, 403]
    assert (await keeper.get(f"/orders/{order['id']}"))["status"] == "CONFIRMED"


async def test_the_keeper_is_told_when_a_thing_sells_out(
    customer: MakePerson, keeper: Person
) -> None:
    sku = await new_goods(keeper, stock=1)
    (await (await customer()).order((sku, 1))).ok(201)

    async def told() -> bool:
        return any(one["data"]["sku"] == sku for one in await keeper.told("LOW_STOCK"))

    await until(told, f"{sku} is low")
