"""What the demo shop sells, as its text says it."""

import hashlib
from pathlib import Path
from uuid import UUID, uuid5

import msgspec
from slugify import slugify

from bus.kit.addressing import derived_id
from bus.kit.values import Money
from bus.products import CategoryDraft, Option, ProductDraft, VariantDraft

TEXT = Path(__file__).with_name("goods.txt")

# Every id of the demo shop is derived from this one, so loading it twice is loading it
# once.
DEMO = UUID("01930000-0000-7000-8000-000000000000")

DEARER_PERCENT = 15
"""How much each further size costs above the one before it."""
PIECES = (0, 3, 12, 25, 40, 80)
"""How many pieces a SKU may have in a warehouse; few are sold out."""


class Place(msgspec.Struct, frozen=True):
    """A category and its place in the tree."""

    id: UUID
    draft: CategoryDraft
    depth: int


class Good(msgspec.Struct, frozen=True, kw_only=True):
    """One product, and how its picture looks."""

    id: UUID
    picture_id: UUID
    draft: ProductDraft
    shape: str
    color: str


class Goods(msgspec.Struct, frozen=True):
    """All categories, parents first, and all products."""

    places: tuple[Place, ...]
    goods: tuple[Good, ...]


def demo_id(purpose: str) -> UUID:
    """The demo shop's id for `purpose`; each falls into a slot of its own."""
    return derived_id(DEMO, purpose, purpose)


def command_id(purpose: str) -> UUID:
    """The id of the command for `purpose`: the same each time the shop is loaded."""
    return uuid5(DEMO, purpose)


def chance(purpose: str, below: int) -> int:
    """A number that looks like chance and is the same each time."""
    digest = hashlib.blake2b(purpose.encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") % below


def read_goods(currency: str) -> Goods:
    """The goods of the text, priced in the shop's currency."""
    places: dict[str, Place] = {}
    goods: list[Good] = []
    category = shape = options = ""
    for line in TEXT.read_text("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        if "|" not in line:
            category, shape, options = (each.strip() for each in line.split(" : "))
            _open(places, category)
        else:
            goods.append(_good(line, places[category].id, shape, options, currency))
    return Goods(tuple(sorted(places.values(), key=lambda p: p.depth)), tuple(goods))


def _open(places: dict[str, Place], path: str) -> None:
    """The category of this path, and all above it."""
    names = path.split(" / ")
    for depth, name in enumerate(names):
        here, above = " / ".join(names[: depth + 1]), " / ".join(names[:depth])
        if here in places:
            continue
        parent = places[above].id if above else None
        draft = CategoryDraft(
            name=name, parent_id=parent, slug=slugify(name), position=len(places)
        )
        places[here] = Place(demo_id(f"category:{here}"), draft, depth)


def _good(
    line: str, category_id: UUID, shape: str, options: str, currency: str
) -> Good:
    name, price, color, words = (each.strip() for each in line.split("|"))
    option, _, values = options.partition("=")
    slug = slugify(name)
    draft = ProductDraft(
        name=name,
        description=words,
        slug=slug,
        category_id=category_id,
        options=(Option(option, tuple(values.split(","))),),
        variants=tuple(
            VariantDraft(
                sku=_sku(slug, value),
                price=Money(_price(int(price), option, place), currency),
                options={option: value},
                weight_grams=100 + chance(f"weight:{slug}:{value}", 1900),
            )
            for place, value in enumerate(values.split(","))
        ),
    )
    return Good(
        id=demo_id(f"product:{slug}"),
        picture_id=demo_id(f"picture:{slug}"),
        draft=draft,
        shape=shape,
        color=color,
    )


def _sku(slug: str, value: str) -> str:
    initials = "-".join(part[:5] for part in slug.split("-")[:3])
    return f"{initials}-{slugify(value)}".upper()


def _price(first: int, option: str, place: int) -> int:
    """Colours and layouts cost the same; sizes, persons and covers cost more."""
    if option in ("Color", "Layout"):
        return first
    dearer = first * DEARER_PERCENT * place // 100
    return first + dearer - dearer % 100
