"""A person leaves a whole shop while its bridge is away, and is found nowhere after."""

import os
import signal
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import aiohttp
import pytest

from actors import DOMAINS
from tests.e2e.people import CARD, Person, Stranger, new_goods
from tests.e2e.shops import LiveShop
from tests.e2e.waiting import until
from tests.files.test_files import picture
from tests.kit.needles import Needles

SECONDS_MAX = 150
"""The second look comes after a minute."""
SECOND_LOOKS = ("erase", "recipients", "reviews", "files")
NAME = {"first_name": "Thessaly", "last_name": "Wobbleforth"}
PHONE = "+447700900456"
HOUSE = {
    "name": "Thessaly Wobbleforth",
    "line1": "13 Quagmire Parade",
    "city": "Mousehole",
    "postal_code": "ZZ7 9QX",
    "country": "GB",
    "phone": PHONE,
}
TOTALS = """SELECT id, items_amount, discount_amount, shipping_amount, tax_amount,
  grand_amount FROM orders WHERE user_id = $1::text::uuid ORDER BY id"""


async def somebody(stranger: Stranger) -> Person:
    """A person with names that nobody else has."""
    email = f"thessaly.{uuid4().hex[:8]}@wobbleforth.example"
    person = Person(stranger.session, stranger.url, email=email)
    account = {"email": email, "password": person.password, **NAME}
    person.take((await stranger.call("POST", "/auth/register", account)).ok(201))
    code = {"email": email, "code": await person.mailed_code()}
    (await stranger.call("POST", "/auth/verify-email", code)).ok(204)
    (await person.call("PUT", "/users/profile", {**NAME, "phone": PHONE})).ok(200)
    (await person.call("POST", "/users/addresses", HOUSE)).ok(201)
    (await person.call("POST", "/payments/methods", CARD)).ok(201)
    sms = {"types": {"ORDER_CONFIRMATION": {"sms": True}}}
    (await person.call("PUT", "/notifications/preferences", sms)).ok(200)
    return person


async def lives(person: Person, keeper: Person) -> list[dict[str, Any]]:
    """Orders that arrive, are cancelled, paid back and left open; words and files."""
    sku = await new_goods(keeper, stock=20)
    orders = [
        (await person.order((sku, 1), shipping_address=HOUSE)).ok(201) for _ in range(4)
    ]
    for step in (
        {"status": "PROCESSING"},
        {"status": "SHIPPED", "carrier": "DHL", "tracking_number": "1Z"},
        {"status": "DELIVERED"},
    ):
        path = f"/orders/{orders[0]['id']}/status"
        (await keeper.call("PUT", path, step)).ok(200)
    (await person.call("PUT", f"/orders/{orders[1]['id']}/cancel")).ok(200)
    back = {"reason": "Thessaly did not like it"}
    refunds = f"/payments/{orders[2]['payment']['id']}/refunds"
    (await keeper.call("POST", refunds, back)).ok(201)
    await person.put_in_cart(sku, 1)
    product = orders[0]["items"][0]["product_id"]
    words = {"rating": 5, "comment": "Wobbleforth of Mousehole loves it."}
    (await person.call("POST", f"/products/{product}/reviews", words)).ok(201)
    form = aiohttp.FormData({"entity_type": "user", "entity_id": person.id})
    form.add_field("file", picture(200, 100), filename="thessaly.jpg")
    headers = await person.headers()
    url = f"{person.url}/upload"
    async with person.session.post(url, data=form, headers=headers) as answer:
        assert answer.status == 201, await answer.text()
    lookup = {"number": orders[0]["number"], "email": person.email}
    (await person.call("POST", "/orders/lookup", lookup)).ok(202)
    return orders


async def found(shop: LiveShop, needles: Needles) -> dict[str, Any]:
    """Where in databases, files and the stream something of the person rests."""
    places: dict[str, Any] = {}
    for name in (*DOMAINS, "bank"):
        places[name] = await needles.in_database(_url(shop, name))
    postgres = (shop.data_dir / "postgres").absolute()
    places["files"] = needles.in_files(Path(shop.data_dir), but=[postgres])
    told = str(await shop.events()).encode()
    places["stream"] = ["events"] if needles.in_bytes(told) else []
    return {name: hits for name, hits in places.items() if hits}


@pytest.mark.full
async def test_who_leaves_while_the_bridge_is_away_is_found_nowhere_in_the_end(
    live_shop: LiveShop, stranger: Stranger, keeper: Person
) -> None:
    person = await somebody(stranger)
    needles = Needles(
        *("Thessaly", "Wobbleforth", "Quagmire", "Mousehole", "ZZ7 9QX"),
        *(PHONE, person.email),
    )
    orders = await lives(person, keeper)
    await live_shop.rest()
    before = await live_shop.rows("orders", TOTALS, person.id)
    assert len(before) == len(orders)
    planted = await found(live_shop, needles)
    assert set(planted) == {"users", "products", "orders", "payments", "messaging"}
    mine = await person.get("/users/export")
    assert len(mine["orders"]) == len(orders)
    assert {one["recipient"] for one in mine["messages"]} == {person.email, PHONE}

    bridge = await live_shop.pid("bridge/0")
    os.kill(bridge, signal.SIGSTOP)
    try:
        (await person.call("DELETE", "/users/profile")).ok(204)

        async def out() -> bool:
            return (await person.call("GET", "/cart")).status == 401

        await until(out, "the session ends", seconds=5)
        assert not await needles.in_database(_url(live_shop, "users"))
        assert await needles.in_database(_url(live_shop, "orders"))
    finally:
        os.kill(bridge, signal.SIGCONT)

    async def nowhere() -> bool:
        return not await found(live_shop, needles)

    await until(nowhere, "nothing is left of the person", seconds=SECONDS_MAX)

    async def looked_again() -> bool:
        names = [f"{what}:{person.id}" for what in SECOND_LOOKS]
        sql = "SELECT 1 FROM due WHERE name = ANY($1)"
        return not [
            row for name in DOMAINS for row in await live_shop.rows(name, sql, names)
        ]

    await until(looked_again, "the second looks", seconds=SECONDS_MAX)
    assert await found(live_shop, needles) == {}
    assert await live_shop.rows("orders", TOTALS, person.id) == before
    live_shop.audit({})


def _url(shop: LiveShop, name: str) -> str:
    word = quote(shop._read("secrets.json")["databases"][name], safe="")
    port = shop.run["ports"]["postgres"]
    return f"postgresql://{name}:{word}@127.0.0.1:{port}/{name}"
