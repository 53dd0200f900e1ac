"""Finding products: full text, typos, filters, orders and pages."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from bus.products import FacetCount, Facets, ListProducts, Sort
from persistence.kit.database import Db
from persistence.products.cursors import Cursor, Value, read_cursor, write_cursor

PRICE_BANDS = (0, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000)
"""Where the price facets begin, in minor units."""

# A match of the words themselves stands before every match that forgives typos.
_FROM_WORDS = """
(SELECT id, max(score)::float8 AS score FROM (
    SELECT id, 1 + ts_rank(search, words) AS score
    FROM products, websearch_to_tsquery('english', {q}) AS words WHERE search @@ words
    UNION ALL SELECT id, score FROM similar_products({q})) AS hits
 GROUP BY id) AS found JOIN products AS p USING (id)"""

_BRANCH = """p.category_id IN (
    WITH RECURSIVE branch AS (
        SELECT id FROM categories WHERE id::text = {category} OR slug = {category}
        UNION SELECT c.id FROM categories AS c JOIN branch ON c.parent_id = branch.id)
    SELECT id FROM branch)"""

_PRICED = """EXISTS (SELECT FROM variants AS v WHERE v.product_id = p.id AND v.active
    AND v.price_amount BETWEEN {low} AND {high})"""

_STOCKED = """EXISTS (SELECT FROM variants AS v JOIN sku_stock AS s USING (sku)
    WHERE v.product_id = p.id AND v.active AND s.in_stock)"""

AMOUNT_MAX = 2**62


class _Order(msgspec.Struct, frozen=True):
    """A column to sort by, how it reads in a cursor, and in which direction."""

    column: str
    kind: type
    type: str
    descending: bool = True


_ORDERS: dict[Sort, _Order] = {
    "relevance": _Order("score", float, "float8"),
    "newest": _Order("p.created_at", str, "timestamptz"),
    "price": _Order("p.price_min", int, "bigint", descending=False),
    "-price": _Order("p.price_min", int, "bigint"),
    "rating": _Order("p.rating_millis", int, "bigint"),
}


class _Statement:
    """A statement under way: its conditions and the values they speak of."""

    def __init__(self, query: ListProducts) -> None:
        self.values: list[Any] = []
        self.conditions: list[str] = []
        self.source = "products AS p"
        if query.q is not None:
            self.source = _FROM_WORDS.format(q=self.value(query.q))
        self._filter(query)

    def value(self, value: Any) -> str:
        """The placeholder of a new value."""
        self.values.append(value)
        return f"${len(self.values)}"

    @property
    def where(self) -> str:
        """All conditions together."""
        return " AND ".join(self.conditions)

    def _filter(self, query: ListProducts) -> None:
        add, value = self.conditions.append, self.value
        statuses = ["ACTIVE", "DRAFT"] if query.with_drafts else ["ACTIVE"]
        add(f"p.status = ANY({value(statuses)})")
        if query.category is not None:
            add(_BRANCH.format(category=value(query.category)))
        if query.min_price is not None or query.max_price is not None:
            high = AMOUNT_MAX if query.max_price is None else query.max_price
            add(_PRICED.format(low=value(query.min_price or 0), high=value(high)))
        if query.min_rating is not None:
            add(f"p.rating_millis >= 1000 * {value(query.min_rating)}::int")
        if query.in_stock is not None:
            add(_STOCKED if query.in_stock else f"NOT {_STOCKED}")
        if query.seller_id is not None:
            add(f"p.seller_id = {value(query.seller_id)}")


async def find_products(db: Db, query: ListProducts) -> tuple[list[UUID], str | None]:
    """The ids of one page in order, and the cursor of the next one."""
    sort = _sort(query)
    order, statement = _ORDERS[sort], _Statement(query)
    if query.cursor is not None:
        cursor = read_cursor(query.cursor, sort, order.kind)
        statement.conditions.append(_after(statement, order, cursor))
    direction = "DESC" if order.descending else "ASC"
    rows = await db.fetch(
        f"""SELECT p.id, {order.column} AS value FROM {statement.source}
            WHERE {statement.where} ORDER BY value {direction}, p.id {direction}
            LIMIT {statement.value(query.limit + 1)}""",
        *statement.values,
    )
    page = [row["id"] for row in rows[: query.limit]]
    if len(rows) <= query.limit:
        return page, None
    last = rows[query.limit - 1]
    return page, write_cursor(Cursor(sort, _plain(last["value"]), last["id"]))


async def count_facets(db: Db, query: ListProducts) -> Facets:
    """How the products found spread over categories, prices, ratings and options."""
    statement = _Statement(query)
    bands = statement.value(list(PRICE_BANDS))
    rows = await db.fetch(
        f"""WITH hits AS MATERIALIZED (
              SELECT p.id, p.category_id, p.price_min, p.rating_millis
              FROM {statement.source} WHERE {statement.where})
            SELECT 'category' AS kind, NULL AS name, category_id::text AS value,
                   count(*) AS count FROM hits WHERE category_id IS NOT NULL GROUP BY 3
            UNION ALL
            SELECT 'price', NULL, width_bucket(price_min, {bands}::bigint[])::text,
                   count(*) FROM hits GROUP BY 3
            UNION ALL
            SELECT 'rating', NULL, stars::text, count(*)
            FROM hits JOIN generate_series(1, 4) AS stars
              ON rating_millis >= 1000 * stars GROUP BY 3
            UNION ALL
            SELECT 'option', pair.key, pair.value, count(DISTINCT hits.id)
            FROM hits JOIN variants AS v ON v.product_id = hits.id AND v.active,
                 jsonb_each_text(v.options) AS pair
            GROUP BY 2, 3""",
        *statement.values,
    )
    return Facets(
        categories=_counts(rows, "category"),
        prices=tuple(
            FacetCount(_band(int(each.value)), each.count)
            for each in sorted(_counts(rows, "price"), key=lambda each: int(each.value))
        ),
        ratings=tuple(sorted(_counts(rows, "rating"), key=lambda each: each.value)),
        options=_counts(rows, "option"),
    )


def _sort(query: ListProducts) -> Sort:
    """Relevance means something only where words were given."""
    if query.sort is None or (query.sort == "relevance" and query.q is None):
        return "newest" if query.q is None else "relevance"
    return query.sort


def _after(statement: _Statement, order: _Order, cursor: Cursor) -> str:
    sign = "<" if order.descending else ">"
    # A time is compared as the very microsecond that the row holds.
    value: Any = cursor.value
    if order.type == "timestamptz":
        value = _time(cursor.value)
    last, last_id = statement.value(value), statement.value(cursor.id)
    return f"({order.column}, p.id) {sign} ({last}::{order.type}, {last_id})"


def _time(value: Value) -> datetime:
    return msgspec.convert(value, datetime)


def _plain(value: Any) -> Value:
    plain: Value = value.isoformat() if isinstance(value, datetime) else value
    return plain


def _counts(rows: list[Any], kind: str) -> tuple[FacetCount, ...]:
    found = [row for row in rows if row["kind"] == kind]
    found.sort(key=lambda row: (row["name"] or "", -row["count"], row["value"]))
    return tuple(FacetCount(row["value"], row["count"], row["name"]) for row in found)


def _band(bucket: int) -> str:
    """The prices of a bucket, which width_bucket counts from one."""
    low = PRICE_BANDS[bucket - 1]
    high = f"{PRICE_BANDS[bucket] - 1}" if bucket < len(PRICE_BANDS) else ""
    return f"{low}-{high}"
