"""What is typed: forms, beginnings, mistakes, accents, nonsense; best first."""

import pytest

from bus.products import ListProducts
from persistence.products.words import distance
from tests.products import category, product, variant

GOODS = (
    ("Headphones", "For music."),
    ("Wireless Headphones", "Light ones."),
    ("Headphones Case", "Holds them."),
    ("Studio Monitor", "Better than headphones, with a stand for running cables."),
    ("Crème Brûlée Set", "Six dishes and a torch."),
    ("Running Shoes", "For the road."),
    ("T-Shirt, Men's", "Plain."),
    ("The Who: Live", "A record."),
    ("Ceramic Teapot", "Pours well."),
    ("Leather Sofa", "Long evenings."),
)

FIRST = {
    "headphones": "Headphones",
    "HEADPHONE": "Headphones",
    "wireless headphones": "Wireless Headphones",
    "headphones wireless": "Wireless Headphones",
    "headphnoes": "Headphones",
    "wirelss haedphones": "Wireless Headphones",
    "headphons case": "Headphones Case",
    "wirel head": "Wireless Headphones",
    "heaphones": "Headphones",
    "creme brulee": "Crème Brûlée Set",
    "CRÈME": "Crème Brûlée Set",
    "cremme brulée": "Crème Brûlée Set",
    "shoe": "Running Shoes",
    "sheos": "Running Shoes",
    "run": "Running Shoes",
    "t shirt": "T-Shirt, Men's",
    "t-shirt men": "T-Shirt, Men's",
    "men's": "T-Shirt, Men's",
    "the who": "The Who: Live",
    "the": "The Who: Live",
    "teaput": "Ceramic Teapot",
    "cermic teapott": "Ceramic Teapot",
    "tea": "Ceramic Teapot",
    "c": "Ceramic Teapot",
    "sku/7-b": "Ceramic Teapot",
    "7-B": "Ceramic Teapot",
    "turquoise": "Leather Sofa",
    "turqoise": "Leather Sofa",
    "furniture": "Leather Sofa",
    "furnitrue leather": "Leather Sofa",
    "leather seating": "Leather Sofa",
}
NOTHING = (
    "xylophone",
    "headphones xylophone",
    "wireless teapot",
    "😀",
    "'\"&|!():*<->\\",
    "--",
    "zq",
    "'); DROP TABLE products; --",
    "headphones " * 18 + "xylophone",
)


async def found(s, q: str, **query) -> list[str]:
    return [each.name for each in (await s.ask(ListProducts(q=q, **query))).items]


async def test_what_is_typed_finds_what_is_meant(shop) -> None:
    async with shop("products", shards=2) as s:
        place = await s.ask(category("Furniture"))
        below = await s.ask(category("Seating", place.id))
        for name, words in GOODS:
            sku = f"SKU/{len(name)}"
            more = {}
            choice = {}
            if name == "Ceramic Teapot":
                sku = "SKU/7-B"
            if name == "Leather Sofa":
                more, choice = {"category_id": below.id}, {"Color": "Turquoise"}
            await s.ask(
                product(
                    name,
                    variant(f"{sku}-{name[:3]}" if "7-B" not in sku else sku, **choice),
                    description=words,
                    **more,
                )
            )
        wrong = {q: (await found(s, q))[:1] for q in FIRST}
        assert wrong == {q: [name] for q, name in FIRST.items()}
        for q in NOTHING:
            assert await found(s, q) == [], q
        # In the name, then elsewhere; the very name first, and no mistake before it.
        assert await found(s, "headphones") == [
            "Headphones",
            "Headphones Case",
            "Wireless Headphones",
            "Studio Monitor",
        ]
        assert await found(s, "the headphones of") == await found(s, "headphones")
        # A word that is known is not taken for another one: no Teapot for a Tea.
        await s.ask(product("Teapod", description="Not a pot."))
        assert await found(s, "teapot") == ["Ceramic Teapot"]
        assert await found(s, "teapoz") == ["Teapod", "Ceramic Teapot"]


async def test_pages_of_mistyped_words_stay_when_the_words_become_known(shop) -> None:
    async with shop("products") as s:
        for n in range(7):
            await s.ask(product(f"Teapot {'of the house ' * (n % 3)}{n}"))
        whole = await found(s, "teapto")
        assert len(whole) == 7
        seen: list[str] = []
        page = await s.ask(ListProducts(q="teapto", limit=2))
        while True:
            seen += [each.name for each in page.items]
            if page.next_cursor is None:
                break
            for word in ("Teapto", "Teapot", "Teaptos", "Taepot"):
                await s.ask(product(f"{word} {len(seen)}"))
            page = await s.ask(
                ListProducts(q="teapto", limit=2, cursor=page.next_cursor)
            )
        assert [name for name in seen if name in whole] == whole
        assert len(seen) == len(set(seen))
        assert (await found(s, "teapto"))[0].startswith("Teapto")


@pytest.mark.parametrize(
    ("one", "other", "mistakes"),
    [
        ("shoes", "shoes", 0),
        ("sheos", "shoes", 1),
        ("shos", "shoes", 1),
        ("shoess", "shoes", 1),
        ("shoos", "shoes", 1),
        ("seohs", "shoes", 2),
        ("", "abc", 3),
    ],
)
def test_mistakes_are_counted_as_people_make_them(one, other, mistakes) -> None:
    assert distance(one, other) == distance(other, one) == mistakes
