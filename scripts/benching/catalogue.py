"""A catalogue to browse: as many products as wanted, the same ones each time."""

import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from uuid import UUID

import msgspec
from slugify import slugify

from bus.kit.addressing import derived_id
from bus.kit.values import Money
from bus.products import ProductDraft, VariantDraft

TEXT = Path(__file__).with_name("catalogue.txt")
# Every id is derived from this one, so making the catalogue twice is making it once.
ROOT = UUID("01930000-0000-7000-8000-00000000bec4")
SELLERS = 20
SOLD_OUT_SHARE = 0.15
PIECES = (3, 12, 40, 200)

MAKERS = (
    "Aldane Brisco Calder Dunmore Elvany Fjordal Garrick Hollis Ivarson Jorunn Kestrel"
    " Lindqvist Marlowe Norrland Orsino Pemberley Quillon Rosedale Sorensen Tamsin"
    " Umbria Vespera Wexford Yarrow Zephyrine Café Señora Brûlée"
)
MANNERS = (
    "Classic Compact Cordless Everyday Folding Heavy Insulated Lightweight Luxury"
    " Minimal Modern Padded Portable Quiet Reversible Rugged Silent Slim Sturdy"
    " Traditional Travel Vintage Waterproof Weekend Wireless"
)
STUFFS = (
    "Aluminium Bamboo Beech Canvas Carbon Ceramic Chrome Copper Cork Cotton Enamel Felt"
    " Glass Leather Linen Merino Oak Porcelain Silicone Steel Suede Titanium Velvet"
    " Walnut Wool"
)


class Shelf(msgspec.Struct, frozen=True, kw_only=True):
    """A category: the path of its names, and what is sold there."""

    path: tuple[str, ...]
    nouns: tuple[str, ...]
    low: int
    high: int
    options: tuple[tuple[str, tuple[str, ...]], ...]
    words: str


class Ware(msgspec.Struct, frozen=True, kw_only=True):
    """One product, where it stands, whose it is, and how many pieces there are."""

    id: UUID
    path: tuple[str, ...]
    seller: int
    draft: ProductDraft
    pieces: dict[str, int]


@cache
def read_shelves() -> tuple[Shelf, ...]:
    """The categories of the text, in its order."""
    lines = TEXT.read_text("utf-8").splitlines()
    return tuple(_shelf(line) for line in lines if line and not line.startswith("#"))


def wares(count: int, currency: str = "USD") -> Iterator[Ware]:
    """The first `count` products; no two have one name."""
    dice = random.Random(ROOT.int)  # noqa: S311 - no secret
    shelves, named = read_shelves(), set[str]()
    while len(named) < count:
        shelf = dice.choice(shelves)
        words = [dice.choice(each.split()) for each in (MAKERS, MANNERS, STUFFS)]
        name = " ".join((*words, dice.choice(shelf.nouns)))
        if name not in named:
            named.add(name)
            yield _ware(dice, len(named), name, shelf, currency)


def _shelf(line: str) -> Shelf:
    path, nouns, prices, options, words = (each.strip() for each in line.split("|"))
    low, high = prices.split("-")
    return Shelf(
        path=tuple(path.split(" / ")),
        nouns=tuple(nouns.split(", ")),
        low=int(low),
        high=int(high),
        options=tuple(
            (name, tuple(values.split(",")))
            for name, _, values in (each.partition("=") for each in options.split("; "))
        ),
        words=words,
    )


def _ware(
    dice: random.Random, number: int, name: str, shelf: Shelf, currency: str
) -> Ware:
    # Prices are spread evenly over their magnitudes: many are cheap and few are dear.
    amount = int(shelf.low * 100 * (shelf.high / shelf.low) ** dice.random())
    amount -= amount % 50
    variants = tuple(
        VariantDraft(
            sku=f"W{number:05}-{place:02}",
            price=Money(amount + 100 * (place % 4), currency),
            options=choice,
        )
        for place, choice in enumerate(_choices(dice, shelf))
    )
    maker, _, rest = name.partition(" ")
    return Ware(
        id=derived_id(ROOT, name, name),
        path=shelf.path,
        seller=dice.randrange(SELLERS),
        draft=ProductDraft(
            name=name,
            description=f"{shelf.words}: the {rest.lower()} that {maker} makes.",
            variants=variants,
        ),
        pieces={
            each.sku: 0 if dice.random() < SOLD_OUT_SHARE else dice.choice(PIECES)
            for each in variants
        },
    )


def _choices(dice: random.Random, shelf: Shelf) -> list[dict[str, str]]:
    """Some of the combinations of the options, each once."""
    every: list[dict[str, str]] = [{}]
    for name, values in shelf.options:
        every = [one | {name: value} for one in every for value in values]
    some = sorted(dice.sample(range(len(every)), dice.randint(1, min(4, len(every)))))
    return [every[place] for place in some]


def slug_of(path: tuple[str, ...]) -> str:
    """The slug of the category of this path."""
    return slugify(" ".join(("bench", *path)))
