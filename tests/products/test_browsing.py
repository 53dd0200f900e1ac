"""The list over HTTP: what it refuses, to whom it shows drafts, how long it is kept."""

from bus.kit.addressing import new_id
from bus.products import PriceChanged
from serve_app.kit.near_cache import NearCache
from serve_app.products.router import router
from tests.products import product, usd, variant
from tests.products.edge import edge_of

WRONG = {
    "min_price=200&max_price=100": ("invalid-request", "min_price"),
    "min_price=-1": ("invalid-request", "min_price"),
    "min_rating=6": ("invalid-request", "min_rating"),
    "sort=best": ("invalid-request", "sort"),
    "in_stock=perhaps": ("invalid-request", "in_stock"),
    "seller=me": ("invalid-request", "seller"),
    "option=Color": ("invalid-request", "option.0"),
    "option=Color:Red&option=:Red": ("invalid-request", "option.1"),
    "option=" + "C" * 122: ("invalid-request", "option.0"),
    "&".join(["option=A:B"] * 21): ("invalid-request", "option"),
    "q=" + "a" * 201: ("invalid-request", "q"),
    "limit=0": ("invalid-request", "limit"),
    "cursor=zzz": ("invalid-cursor", "cursor"),
    "cursor=%25%25": ("invalid-cursor", "cursor"),
}


async def test_what_makes_no_sense_is_refused_by_its_field(shop) -> None:
    async with shop("products", "inventory") as s, edge_of(s) as anyone:
        for query, (code, field) in WRONG.items():
            answer = await anyone("GET", f"/products?{query}")
            said = answer.json()
            fields = [error["field"] for error in said["errors"]]
            assert (answer.status_code, said["code"], fields) == (422, code, [field])


async def test_a_cursor_is_good_for_its_own_list_as_it_was_given(shop) -> None:
    async with shop("products", "inventory") as s, edge_of(s) as anyone:
        for n in range(3):
            await s.ask(product("Tea", variant(f"T{n}", 100, Color="Red")))
        page = (await anyone("GET", "/products?q=tea&limit=1")).json()
        cursor = page["next_cursor"]
        second = await anyone("GET", f"/products?q=tea&limit=2&cursor={cursor}")
        ids = [each["id"] for each in page["items"] + second.json()["items"]]
        assert len(set(ids)) == 3
        at = len(cursor) // 2
        other = "A" if cursor[at] != "A" else "B"
        for wrong in (
            f"q=tea&sort=newest&cursor={cursor}",
            f"q=teas&cursor={cursor}",
            f"q=tea&option=Color:Red&cursor={cursor}",
            f"q=tea&cursor={cursor[:at]}{other}{cursor[at + 1 :]}",
            f"q=tea&cursor={cursor[:-1]}",
            f"q=tea&cursor={cursor}!",
        ):
            answer = await anyone("GET", f"/products?{wrong}")
            assert (answer.status_code, answer.json()["code"]) == (
                422,
                "invalid-cursor",
            ), wrong


async def test_options_are_filters_that_may_be_repeated(shop) -> None:
    async with shop("products", "inventory") as s, edge_of(s) as anyone:
        await s.ask(product("Tea", variant("A", Color="Red", Ratio="1:2")))
        await s.ask(product("Mug", variant("B", Color="Blue", Ratio="1:2")))

        async def names(query: str) -> list[str]:
            page = (await anyone("GET", f"/products?sort=price&{query}")).json()
            return sorted(each["name"] for each in page["items"])

        assert await names("option=color:red&option=Ratio:1:2") == ["Tea"]
        assert await names("option=Color:Red&option=Color:Blue") == ["Mug", "Tea"]
        assert await names("q=") == ["Mug", "Tea"]
        assert await names("q=%F0%9F%98%80") == []
        assert await names("category=unknown") == []


async def test_drafts_are_shown_to_their_seller_and_kept_from_all_others(shop) -> None:
    async with shop("products", "inventory") as s, edge_of(s) as anyone:
        seller, other = anyone.signed_in("SELLER"), anyone.signed_in("SELLER")
        was_seller = anyone.signed_in("CUSTOMER")
        for who in (seller, was_seller):
            await s.ask(product("Lamp", status="DRAFT", seller_id=who.user_id))

        async def count(who, of) -> int:
            path = f"/products?seller={of.user_id}&facets=true"
            page = (await who("GET", path)).json()
            assert page["facets"]["total"] == len(page["items"])
            return len(page["items"])

        assert await count(seller, seller) == 1
        assert await count(other, seller) == await count(anyone, seller) == 0
        assert await count(was_seller, was_seller) == 0
        assert await count(anyone, was_seller) == 0
        admin = anyone.signed_in("ADMIN")
        assert len((await admin("GET", "/products")).json()["items"]) == 2


async def test_a_list_is_kept_until_an_event_or_a_second_has_passed(shop) -> None:
    async with shop("products", "inventory") as s, edge_of(s) as anyone:
        now = [0.0]
        near = NearCache(bytes_max=1 << 20, age_seconds_max=5.0, clock=lambda: now[0])
        anyone._gateway.near = near
        made = await s.ask(product("Lamp", variant("L", 1000)))
        admin = anyone.signed_in("ADMIN")

        async def price() -> int:
            page = (await anyone("GET", "/products?q=lamp")).json()
            return page["items"][0]["price_range"]["min"]["amount"]

        async def change(amount: int) -> None:
            body = {"sku": "L", "price": {"amount": amount, "currency": "USD"}}
            path = f"/products/{made.id}/variants/L"
            assert (await admin("PUT", path, body)).status_code == 200

        assert await price() == 1000
        await change(900)
        now[0] = 0.99
        assert await price() == 1000
        told = PriceChanged(product_id=new_id(), sku="X", price=usd(1), previous=usd(2))
        near.forget(dict(router.forgetting)[PriceChanged](told))
        assert await price() == 900
        now[0] = 1.5
        assert await price() == 900
        await change(800)
        now[0] = 2.6
        assert await price() == 800
