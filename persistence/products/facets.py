"""Facets: how what is found spreads, each counted as if its own filter were not."""

from collections import Counter
from collections.abc import Iterable, Sequence
from uuid import UUID

import msgspec

from bus.products import CategoryCount, FacetCount, Facets
from persistence.kit.database import Db
from persistence.products.filters import ANY_STOCK, Filters
from persistence.products.search import Search
from persistence.products.state import PRICE_BANDS

STARS = (1, 2, 3, 4)
CATEGORIES_MAX = 100
OPTION_NAMES_MAX = 10
OPTION_VALUES_MAX = 20

# Where no filter is about variants, a product's own row says what it counts for.
_OF_PRODUCTS = """
WITH found AS MATERIALIZED (
    SELECT p.category_id, p.rating_millis, p.bands, p.pairs, {stock} AS in_stock
    FROM products AS p WHERE {products}),
pairs AS (SELECT pair FROM found, unnest(pairs) AS pair WHERE {pair})"""

# Else the variants that fulfil all filters say it, put together product by product.
_OF_VARIANTS = """
WITH hits AS MATERIALIZED (
    SELECT p.id, p.category_id, p.rating_millis, v.price_amount, v.pairs,
           coalesce(s.in_stock, false) AS in_stock
    FROM products AS p JOIN variants AS v ON v.product_id = p.id AND v.active
    LEFT JOIN sku_stock AS s USING (sku) WHERE {products} AND {variants}),
found AS MATERIALIZED (
    SELECT category_id, rating_millis, bool_or(in_stock) AS in_stock,
           bit_or(1 << width_bucket(price_amount, {bands}::bigint[])) AS bands
    FROM hits GROUP BY id, category_id, rating_millis),
pairs AS (SELECT DISTINCT id, pair FROM hits, unnest(pairs) AS pair WHERE {pair})"""


def _each(conditions: Iterable[str]) -> str:
    return ", ".join(f"count(*) FILTER (WHERE {each})" for each in conditions)


_COUNTS = f"""
SELECT category_id, count(*) AS total, count(*) FILTER (WHERE in_stock) AS in_stock,
       ARRAY[{_each(f"rating_millis >= {stars * 1000}" for stars in STARS)}] AS ratings,
       ARRAY[{_each(f"bands & {2 << at} <> 0" for at in range(len(PRICE_BANDS)))}]
           AS prices, NULL AS options
FROM found GROUP BY category_id
UNION ALL
SELECT NULL, 0, 0, NULL, NULL, json_agg(json_build_array(name, value, count))::text
FROM (SELECT pair, count(*) AS count FROM pairs GROUP BY pair) AS every
JOIN option_spellings USING (pair)"""

_ANY_PAIR, _NO_PAIR = "true", "false"

# What is to be shown of a count: ratings and categories alone, price bands and options
# too, or stock as well; each costs more than the one before.
_PRODUCTS, _BANDS, _STOCK = "products", "bands", "stock"

_Option = tuple[str, str, int]
_read_options = msgspec.json.Decoder(tuple[_Option, ...]).decode


class _Counts(msgspec.Struct, frozen=True):
    """What was counted, with all filters or with all but one facet's own."""

    total: int
    in_stock: int
    categories: dict[UUID, int]
    ratings: list[int]
    prices: list[int]
    options: tuple[_Option, ...]


async def count_facets(db: Db, search: Search) -> Facets:
    """How the products found spread over categories, prices, ratings and options.

    What no filter is about is counted once for all; each filter's own facet by itself.
    """
    query = search.query
    chosen = sorted({name.lower() for name, _ in query.options})
    filters = search.filters()
    others = _ANY_PAIR
    if chosen:
        others = f"{_name('<> ALL')} ({filters.value(chosen)}::text[])"
    every = await _count(db, filters, others)

    async def but(facet: str, shows: str, *, active: bool) -> _Counts:
        if not active:
            return every
        return await _count(db, search.without(facet).filters(), _NO_PAIR, shows)

    priced = query.min_price is not None or query.max_price is not None
    prices = await but("price", _BANDS, active=priced)
    ratings = await but("rating", _PRODUCTS, active=query.min_rating is not None)
    categories = await but("category", _PRODUCTS, active=query.category is not None)
    stocked = await but("stock", _STOCK, active=query.in_stock is False)
    options = list(every.options)
    for name in chosen:
        filters = search.without(f"option:{name}").filters()
        own = f"{_name('=')} {filters.value(name)}"
        options += (await _count(db, filters, own, _BANDS)).options
    return Facets(
        total=every.total,
        in_stock=stocked.in_stock,
        categories=await _categories(db, categories.categories),
        prices=tuple(
            FacetCount(_band(at), count)
            for at, count in enumerate(prices.prices)
            if count
        ),
        ratings=tuple(
            FacetCount(str(stars), count)
            for stars, count in zip(STARS, ratings.ratings, strict=True)
            if count
        ),
        options=_options(options, query.options),
    )


async def _count(db: Db, filters: Filters, pair: str, shows: str = _STOCK) -> _Counts:
    """Count what fulfils the filters; what is not to be shown may be counted wrong."""
    if filters.of_variants and shows != _PRODUCTS:
        sql = _OF_VARIANTS.format(
            products=" AND ".join(filters.of_products),
            variants=" AND ".join(filters.of_variants),
            bands=filters.value(list(PRICE_BANDS)),
            pair=pair,
        )
    else:
        stock = ANY_STOCK if shows == _STOCK else "false"
        sql = _OF_PRODUCTS.format(products=filters.where, stock=stock, pair=pair)
    *rows, last = await db.fetch(sql + _COUNTS, *filters.values)

    def sums(column: str, length: int) -> list[int]:
        return [sum(row[column][at] for row in rows) for at in range(length)]

    return _Counts(
        total=sum(row["total"] for row in rows),
        in_stock=sum(row["in_stock"] for row in rows),
        categories={r["category_id"]: r["total"] for r in rows if r["category_id"]},
        ratings=sums("ratings", len(STARS)),
        prices=sums("prices", len(PRICE_BANDS)),
        options=_read_options(last["options"] or "[]"),
    )


async def _categories(db: Db, here: dict[UUID, int]) -> tuple[CategoryCount, ...]:
    """Categories with what they and their descendants hold, the fullest first."""
    if not here:
        return ()
    rows = await db.fetch("SELECT id, parent_id, name, slug FROM categories")
    tree = {row["id"]: row for row in rows}
    total: Counter[UUID] = Counter()
    for category, count in here.items():
        above: UUID | None = category
        while above is not None and above in tree:
            total[above] += count
            above = tree[above]["parent_id"]
    order = sorted(total, key=lambda each: (-total[each], tree[each]["name"], each))
    return tuple(
        CategoryCount(
            value=str(each),
            count=total[each],
            name=tree[each]["name"],
            slug=tree[each]["slug"],
            parent_id=tree[each]["parent_id"],
        )
        for each in order[:CATEGORIES_MAX]
    )


def _options(
    counted: Iterable[_Option], chosen: Sequence[tuple[str, str]]
) -> tuple[FacetCount, ...]:
    """The commonest names, and of each the commonest values and those chosen."""
    by_name: dict[str, list[FacetCount]] = {}
    for name, value, count in sorted(counted, key=lambda each: (-each[2], each[1])):
        by_name.setdefault(name.lower(), []).append(FacetCount(value, count, name))
    names = sorted(by_name, key=lambda n: (-sum(e.count for e in by_name[n]), n))
    wanted = {(name.lower(), value.lower()) for name, value in chosen}
    always = {name for name, _ in wanted}
    return tuple(
        each
        for place, name in enumerate(names)
        if place < OPTION_NAMES_MAX or name in always
        for at, each in enumerate(by_name[name])
        if at < OPTION_VALUES_MAX or (name, each.value.lower()) in wanted
    )


def _name(compared: str) -> str:
    """An option's name in a pair, compared."""
    return f"split_part(pair, E'\\x1f', 1) {compared}"


def _band(at: int) -> str:
    high = f"{PRICE_BANDS[at + 1] - 1}" if at + 1 < len(PRICE_BANDS) else ""
    return f"{PRICE_BANDS[at]}-{high}"
