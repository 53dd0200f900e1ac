"""Products: made, edited by those who may, told of, offered and archived."""

import asyncio

import pytest

from bus.inventory import AdjustStock
from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal, RefusalKind
from bus.kit.values import Money
from bus.products import (
    AddVariant,
    ArchiveProduct,
    GetOffers,
    GetProduct,
    ListProducts,
    Option,
    ProductChanges,
    RemoveVariant,
    RestoreProduct,
    UpdateProduct,
    UpdateVariant,
)
from tests.products import product, usd, variant


def edit(view, version=None, editor_id=None, **changes) -> UpdateProduct:
    return UpdateProduct(
        product_id=view.id,
        editor_id=editor_id,
        version=version,
        changes=ProductChanges(**changes),
    )


async def get(s, reference, **viewer):
    return await s.ask(GetProduct(reference=str(reference), **viewer))


async def refused(s, message) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await s.ask(message)
    return caught.value


@pytest.mark.parametrize("shards", [1, 3])
async def test_a_product_is_found_by_id_and_slug_at_once(shop, shards) -> None:
    async with shop("products", shards=shards) as s:
        made = await s.ask(
            product(
                "Café Mug",
                variant("MUG-S", 900, Size="S"),
                variant("MUG-L", 1200, Size="L"),
            )
        )
        assert made.slug == "cafe-mug"
        assert made.options == (Option("Size", ("S", "L")),)
        assert (made.price_range.min, made.price_range.max) == (usd(900), usd(1200))
        assert await get(s, made.id) == await get(s, "cafe-mug") == made
        told = [e for e in await s.events() if e["subject"] == str(made.id)]
        assert [e["type"] for e in told] == ["products.product_created.v1"]
        assert told[0]["sequence"] == "1"
        assert told[0]["data"]["skus"] == ["MUG-S", "MUG-L"]


@pytest.mark.parametrize("shards", [1, 3])
async def test_of_two_products_with_one_sku_one_is_made(shop, shards) -> None:
    async with shop("products", shards=shards) as s:
        ends = await asyncio.gather(
            *(s.ask(product(f"P{n}", variant("ONE"))) for n in range(8)),
            return_exceptions=True,
        )
        codes = [end.code for end in ends if isinstance(end, Refusal)]
        assert codes == ["sku-taken"] * 7
        rows = await s.rows("products", "SELECT count(*) AS n FROM products")
        assert rows == [{"n": 1}]
        kinds = await s.rows("products", "SELECT kind FROM claims ORDER BY kind")
        assert [row["kind"] for row in kinds] == ["sku", "slug"]


async def test_a_slug_from_a_name_makes_way_and_a_given_one_is_refused(shop) -> None:
    async with shop("products") as s:
        first = await s.ask(product("Same Name"))
        second = await s.ask(product("Same Name"))
        assert first.slug == "same-name"
        assert second.slug == f"same-name-{second.id.hex[-8:]}"
        taken = await refused(s, product("Other", slug="same-name"))
        assert taken.code == "slug-taken"
        assert (await refused(s, edit(second, slug="same-name"))).code == "slug-taken"


async def test_nobody_takes_the_address_of_anothers_product(shop) -> None:
    async with shop("products") as s:
        made = await s.ask(product("Mine", slug="mine"))
        for slug in (str(made.id), made.id.hex, "-".join(made.id.hex), "export"):
            squatter = await refused(s, product("Theirs", slug=slug))
            assert squatter.code == "slug-taken", slug
            assert (await refused(s, edit(made, slug=slug))).code == "slug-taken"
        named = await s.ask(product(str(made.id)))
        assert named.slug == f"{made.id}-{named.id.hex[-8:]}"
        # One from before slugs were checked so does not hide it either.
        await s.rows(
            "products",
            "UPDATE products SET slug = $2 WHERE id = $1 RETURNING id",
            named.id,
            str(made.id),
        )
        assert (await get(s, made.id)).id == made.id


async def test_options_stay_in_the_order_they_were_given(shop) -> None:
    async with shop("products") as s:
        first = variant("P-1", Colour="Red", Size="S")
        second = variant("P-2", Colour="Blue", Size="M")
        made = await s.ask(product("Poncho", first, second))
        assert [option.name for option in made.options] == ["Colour", "Size"]
        await s.ask(UpdateVariant(product_id=made.id, editor_id=None, variant=first))
        await s.ask(RemoveVariant(product_id=made.id, editor_id=None, sku="P-1"))
        after = await get(s, made.id)
        assert [(o.name, o.values) for o in after.options] == [
            ("Colour", ("Blue",)),
            ("Size", ("M",)),
        ]


async def test_the_same_command_twice_makes_one_product(shop) -> None:
    async with shop("products") as s:
        message, id_ = product(), new_id()
        one, two = await asyncio.gather(s.ask(message, id=id_), s.ask(message, id=id_))
        assert one == two == await s.ask(message, id=id_) == await s.ask(message)
        assert len(await s.events()) == 1


async def test_a_price_change_is_offered_at_once_by_every_shard(shop) -> None:
    async with shop("products", shards=3) as s:
        made = await s.ask(product("Lamp", variant("LAMP", 5000)))
        for amount in range(4000, 4020):
            lamp = variant("LAMP", amount)
            await s.ask(edit(made, variants=(lamp,)))
            offers = await asyncio.gather(
                *(s.ask(GetOffers(skus=("LAMP", "NONE"))) for _ in range(6))
            )
            assert {each.offers[0].price for each in offers} == {usd(amount)}
            assert all(len(each.offers) == 1 for each in offers)
        changes = [e for e in await s.events() if "price_changed" in e["type"]]
        assert changes[-1]["data"] == {
            "product_id": str(made.id),
            "sku": "LAMP",
            "price": {"amount": 4019, "currency": "USD"},
            "previous": {"amount": 4018, "currency": "USD"},
        }
        numbers = [int(e["sequence"]) for e in await s.events()]
        assert numbers == list(range(1, 42))


async def test_an_edit_of_an_old_version_changes_nothing(shop) -> None:
    async with shop("products") as s:
        made = await s.ask(product())
        changed = await s.ask(edit(made, version=1, name="New"))
        assert (changed.version, changed.name, changed.slug) == (2, "New", made.slug)
        late = await refused(s, edit(made, version=1, name="Late"))
        assert late.data.kind is RefusalKind.STALE
        assert await get(s, made.id) == changed


async def test_a_seller_edits_only_what_is_theirs(shop) -> None:
    async with shop("products") as s:
        seller, other = new_id(), new_id()
        made = await s.ask(product(seller_id=seller))
        foreign = edit(made, editor_id=other, name="Mine")
        assert (await refused(s, foreign)).code == "not-found"
        archive = ArchiveProduct(product_id=made.id, editor_id=other)
        assert (await refused(s, archive)).code == "not-found"
        assert await get(s, made.id) == made
        own = await s.ask(edit(made, editor_id=seller, name="Mine"))
        assert own.name == "Mine"


CONTRADICTIONS = (
    (variant("A"), variant("A")),
    (variant("A", Size="S"), variant("B", Size="S")),
    (variant("A", Size="S"), variant("B", Color="Red")),
)


async def test_variants_that_contradict_each_other_are_refused(shop) -> None:
    async with shop("products") as s:
        for variants in CONTRADICTIONS:
            assert (
                await refused(s, product("P", *variants))
            ).code == "invalid-variants"
        assert await s.rows("products", "SELECT * FROM claims") == []


async def test_another_currency_is_refused(shop) -> None:
    async with shop("products") as s:
        euro = variant("A").__class__(sku="A", price=Money(5, "EUR"))
        assert (await refused(s, product("P", euro))).code == "currency-mismatch"


async def test_variants_come_and_go_and_their_skus_stay(shop) -> None:
    async with shop("products") as s:
        made = await s.ask(product("Shirt", variant("S-1", Size="S")))
        about = {"product_id": made.id, "editor_id": None}
        added = await s.ask(AddVariant(**about, variant=variant("S-2", Size="M")))
        assert [each.sku for each in added.variants] == ["S-1", "S-2"]
        assert added.options == (Option("Size", ("S", "M")),)
        again = AddVariant(**about, variant=variant("S-2", Size="L"))
        assert (await refused(s, again)).code == "invalid-variants"
        await s.ask(UpdateVariant(**about, variant=variant("S-2", 10, Size="M")))
        left = await s.ask(RemoveVariant(**about, sku="S-1"))
        assert [each.sku for each in left.variants] == ["S-2"]
        last = RemoveVariant(**about, sku="S-2")
        assert (await refused(s, last)).code == "invalid-variants"
        gone = (await s.ask(GetOffers(skus=("S-1",)))).offers[0]
        assert not gone.active
        foreign = product("Thief", variant("S-1"))
        assert (await refused(s, foreign)).code == "sku-taken"
        back = await s.ask(AddVariant(**about, variant=variant("S-1", 7, Size="S")))
        assert [each.sku for each in back.variants] == ["S-2", "S-1"]


async def test_an_archived_product_is_sold_no_more_and_gives_its_slug_up(shop) -> None:
    async with shop("products") as s:
        made = await s.ask(product("Vase", variant("VASE")))
        await s.ask(ArchiveProduct(product_id=made.id, editor_id=None, version=1))
        assert not (await s.ask(GetOffers(skus=("VASE",)))).offers[0].active
        with pytest.raises(Refusal):
            await get(s, made.id)
        seen = await get(s, made.id, viewer_is_admin=True)
        assert seen.status == "ARCHIVED"
        assert (await s.ask(ListProducts(with_drafts=True))).items == ()
        heir = await s.ask(product("Vase"))
        assert (heir.slug, (await get(s, "vase")).id) == ("vase", heir.id)
        assert (await refused(s, edit(made, name="Ghost"))).code == "not-found"


async def test_an_archived_product_comes_back_as_a_draft(shop) -> None:
    async with shop("products") as s:
        seller = new_id()
        made = await s.ask(product("Vase", variant("VASE"), seller_id=seller))
        back = RestoreProduct(product_id=made.id, editor_id=seller)
        assert await s.ask(back) == made
        await s.ask(ArchiveProduct(product_id=made.id, editor_id=seller))
        foreign = RestoreProduct(product_id=made.id, editor_id=new_id())
        assert (await refused(s, foreign)).code == "not-found"
        one, two = await asyncio.gather(s.ask(back), s.ask(back))
        assert one == two
        assert (one.status, one.slug, one.version) == ("DRAFT", "vase", 3)
        await s.ask(ArchiveProduct(product_id=made.id, editor_id=seller))
        heir = await s.ask(product("Vase"))
        again = await s.ask(back)
        assert (again.slug, heir.slug) == (f"vase-{made.id.hex[-8:]}", "vase")
        claims = await s.rows(
            "products", "SELECT value FROM claims WHERE kind = 'slug' ORDER BY value"
        )
        assert [each["value"] for each in claims] == ["vase", again.slug]
        own = edit(again, editor_id=seller, status="ACTIVE")
        assert (await s.ask(own)).variants == made.variants


async def test_a_draft_is_seen_by_its_seller_alone(shop) -> None:
    async with shop("products") as s:
        seller = new_id()
        made = await s.ask(product(seller_id=seller, status="DRAFT"))
        with pytest.raises(Refusal):
            await get(s, made.id, viewer_id=new_id())
        assert await get(s, made.id, viewer_id=seller) == made
        assert (await s.ask(ListProducts())).items == ()
        own = await s.ask(ListProducts(seller_id=seller, with_drafts=True))
        assert own.items == (made,)
        await s.ask(edit(made, status="ACTIVE"))
        assert len((await s.ask(ListProducts())).items) == 1


async def test_stock_shows_by_its_newest_event_alone(shop) -> None:
    async with shop("products", "inventory", shards=2) as s:
        made = await s.ask(product("Pen", variant("PEN")))
        assert not (await get(s, made.id)).in_stock
        for pieces in (3, 0, 5):
            await s.ask(AdjustStock(sku="PEN", on_hand=pieces, reason="count"))
            await s.deliver()
            assert (await get(s, made.id)).in_stock is (pieces > 0)
        found = await s.ask(ListProducts(in_stock=True))
        assert [each.id for each in found.items] == [made.id]
        await s.ask(AdjustStock(sku="PEN", on_hand=0, reason="count"))
        s._delivered = 0  # everything comes again, the oldest last known first
        await s.deliver()
        assert not (await get(s, made.id)).in_stock
        assert (await s.ask(ListProducts(in_stock=True))).items == ()
