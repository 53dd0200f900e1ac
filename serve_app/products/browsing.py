"""The route that lists products: searched for, filtered, counted and in order."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import msgspec
from fastapi import Depends, Query

from bus.kit.refusals import FieldError
from bus.products import ListProducts, Sort
from serve_app.kit.bodies import AMOUNT_MINOR_MAX
from serve_app.kit.problems import Problem
from serve_app.kit.routing import PUBLIC, Caller, Near, Pages, ask
from serve_app.products.catalogue import AGE_SECONDS_MAX, REFERENCE_MAX
from serve_app.products.router import LISTS, router
from serve_app.products.views import Products, with_availability

WORDS_MAX = 200
OPTIONS_MAX = 20
OPTION_MAX = 121
"""A name and a value of 60 characters each, and the colon between them."""

NO_NUL = r"^[^\x00]*$"
Price = Annotated[
    int | None,
    Query(ge=0, le=AMOUNT_MINOR_MAX, description="Of a variant, in minor units."),
]
Choice = Annotated[str, Query(min_length=3, max_length=OPTION_MAX, pattern=NO_NUL)]
Choices = Annotated[
    Sequence[Choice],
    Query(
        max_length=OPTIONS_MAX,
        description="`Name:Value`, repeatable: values of one name are choices, "
        "different names must all hold. Capitals do not matter.",
    ),
]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a list is to hold, as the address asks for it."""

    q: str | None
    category: str | None
    min_price: int | None
    max_price: int | None
    min_rating: int | None
    in_stock: bool | None
    options: tuple[tuple[str, str], ...]
    seller_id: UUID | None


def _wanted(
    *,
    q: Annotated[
        str | None,
        Query(max_length=WORDS_MAX, pattern=NO_NUL, description="Words, in any order."),
    ] = None,
    category: Annotated[
        str | None,
        Query(
            max_length=REFERENCE_MAX,
            pattern=NO_NUL,
            description="An id or slug, with its descendants. None: no products.",
        ),
    ] = None,
    min_price: Price = None,
    max_price: Price = None,
    min_rating: Annotated[int | None, Query(ge=1, le=5)] = None,
    in_stock: Annotated[
        bool | None, Query(description="False finds what is sold out altogether.")
    ] = None,
    option: Choices = (),
    seller: UUID | None = None,
) -> Wanted:
    if min_price is not None and max_price is not None and min_price > max_price:
        raise _invalid(FieldError("min_price", "above-max-price"))
    return Wanted(
        q=q if q is not None and q.strip() else None,
        category=category,
        min_price=min_price,
        max_price=max_price,
        min_rating=min_rating,
        in_stock=in_stock,
        options=_options(option),
        seller_id=seller,
    )


@router.get("/products", access=PUBLIC, near=Near(AGE_SECONDS_MAX, lambda _: (LISTS,)))
async def list_products(
    caller: Caller,
    pages: Pages,
    wanted: Annotated[Wanted, Depends(_wanted)],
    *,
    sort: Sort | None = None,
    facets: bool = False,
) -> Products:
    """Find products.

    `q` searches names, SKUs, option values, descriptions and the names of categories.
    All of its words must be found, the last one also as the beginning of a word; stop
    words count only where there are no others, accents and capitals never. A word that
    nothing on sale has is taken as mistyped: one mistake is forgiven from four letters
    on, two from eight. Best first: the very name or SKU, all words in the name, all
    words somewhere, beginnings, and last what was mistyped. An empty `q` is none.

    One and the same active variant must fulfil `option`, prices and `in_stock=true`.
    `min_price` above `max_price` is 422 `invalid-request`.

    `sort` is `relevance` (the default with `q`; without it the same as `newest`),
    `newest`, `price` or `-price` (a product's lowest), or `rating`. `next_cursor` is
    good for the same query alone, else 422 `invalid-cursor`: products that are added
    between two pages move no other, and nothing that stays as it is comes twice or is
    left out.

    `facets=true` adds exact counts over all products found. A facet leaves its own
    filter out: with `option=Color:Red`, other colours count what they would find.

    Sellers see their own drafts when they name themselves in `seller`; administrators
    see all drafts.
    """
    seller = wanted.seller_id
    own = caller.is_staff and seller is not None and seller == caller.user_id
    query = ListProducts(
        **msgspec.structs.asdict(wanted),
        with_drafts=caller.is_admin or own,
        sort=sort,
        facets=facets,
        limit=pages.limit,
        cursor=pages.cursor,
    )
    page = await ask(query)
    return Products(
        items=await with_availability(page.items),
        next_cursor=page.next_cursor,
        facets=page.facets,
    )


def _options(given: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Names and values; a value may hold colons, as `Size:1:2`."""
    found = []
    for place, each in enumerate(given):
        name, _, value = (part.strip() for part in each.partition(":"))
        if not name or not value:
            raise _invalid(FieldError(f"option.{place}", "malformed", "Name:Value"))
        found.append((name, value))
    return tuple(found)


def _invalid(error: FieldError) -> Problem:
    detail = "Some fields are not acceptable."
    return Problem(422, "invalid-request", detail, [error])
