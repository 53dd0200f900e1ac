"""Finding products: words in order of how well they fit, filters, orders and pages."""

import re
from datetime import datetime
from hashlib import blake2b
from typing import Any
from uuid import UUID

import msgspec

from bus.products import ListProducts, Sort
from persistence.kit.database import Db
from persistence.products.cursors import Cursor, Value, read_cursor, write_cursor
from persistence.products.filters import Filters, find_branch, found
from persistence.products.words import Words, forgive, read_words

SCOPE_BYTES = 8

# Best first: the product's own name or SKU, all words in its name, all words somewhere,
# beginnings of words, and then what is one or two mistakes away. Within each, first
# where more of the words are in the name and make up more of it, then what Postgres'
# ranking says. Nothing here depends on other products, so a product keeps its place
# while pages are turned.
_SCORE = """(CASE
    WHEN folded(p.name) = ANY({names}) OR p.id = {sku_of} THEN 50
    WHEN {in_name} THEN 40
    WHEN {anywhere} THEN 30
    WHEN {begun} THEN 20
    WHEN {near} THEN 10
    ELSE 0 END
    + 3 * ({in_name_each})::float8 / {count}
    + 3 * least(1, {letters}::float8 / greatest(1, length(p.name)))
    + ts_rank(p.search, {any_word}))::float8"""


class _Order(msgspec.Struct, frozen=True):
    """A column to sort by, how it reads in a cursor, and in which direction."""

    column: str
    kind: type
    type: str
    descending: bool = True


_ORDERS: dict[Sort, _Order] = {
    "relevance": _Order("", float, "float8"),
    "newest": _Order("p.created_at", str, "timestamptz"),
    "price": _Order("p.price_min", int, "bigint", descending=False),
    "-price": _Order("p.price_min", int, "bigint"),
    "rating": _Order("p.rating_millis", int, "bigint"),
}


class Search(msgspec.Struct, frozen=True):
    """A query made ready: its words read, its category found, its cursor checked."""

    query: ListProducts
    sort: Sort
    cursor: Cursor | None
    words: Words | None
    branch: list[UUID] | None

    def filters(self) -> Filters:
        """Its conditions, for a statement of its own."""
        return Filters(self.query, self.words, self.branch)

    def without(self, facet: str) -> "Search":
        """The same without one facet's filter; an option's facet is `option:<name>`."""
        query, branch = self.query, self.branch
        left_out: dict[str, Any] = {
            "category": {"category": None},
            "price": {"min_price": None, "max_price": None},
            "rating": {"min_rating": None},
            "stock": {"in_stock": None},
        }.get(facet) or {
            "options": tuple(
                each for each in query.options if f"option:{each[0].lower()}" != facet
            )
        }
        return msgspec.structs.replace(
            self,
            query=msgspec.structs.replace(query, **left_out),
            branch=None if facet == "category" else branch,
        )


async def prepare_search(db: Db, query: ListProducts) -> Search:
    """Read what was typed; raises the refusal of a cursor that is none of this list.

    Words that nothing on sale has are read as mistyped; where each is known but no
    product has them all, all are. A cursor remembers which, so that products that
    come meanwhile do not change what a list is about.
    """
    sort, cursor = _sort(query), None
    if query.cursor is not None:
        cursor = read_cursor(query.cursor, sort, _ORDERS[sort].kind, _scope(query))
    branch = None
    if query.category is not None:
        branch = await find_branch(db, query.category)
    words = None
    if query.q is not None:
        words = await read_words(db, query.q)
        bits = cursor.forgiven if cursor else await _mistyped(db, query, words)
        words = await forgive(db, words, bits) if bits else words
    return Search(query, sort, cursor, words, branch)


async def find_products(db: Db, search: Search) -> tuple[list[UUID], str | None]:
    """The ids of one page in order, and the cursor of the next one."""
    query, order, filters = search.query, _ORDERS[search.sort], search.filters()
    where, column = filters.where, order.column
    if search.sort == "relevance" and search.words is not None:
        column = await _score(db, filters, query, search.words)
    if search.cursor is not None:
        where += f" AND {_after(filters, column, order, search.cursor)}"
    direction = "DESC" if order.descending else "ASC"
    rows = await db.fetch(
        f"""SELECT p.id, {column} AS value FROM products AS p
            WHERE {where} ORDER BY value {direction}, p.id {direction}
            LIMIT {filters.value(query.limit + 1)}""",
        *filters.values,
    )
    page = [row["id"] for row in rows[: query.limit]]
    if len(rows) <= query.limit:
        return page, None
    last = rows[query.limit - 1]
    forgiven = search.words.forgiven if search.words else 0
    cursor = Cursor(search.sort, _plain(last["value"]), last["id"], forgiven)
    return page, write_cursor(cursor, _scope(query))


async def _mistyped(db: Db, query: ListProducts, words: Words) -> int:
    """The bits of the words that nothing on sale has; all, if nothing has all words."""
    if not words.words:
        return 0
    filters = Filters(ListProducts(with_drafts=query.with_drafts))
    status, has = filters.where, [found(filters, w, w.queries) for w in words.words]
    # A bitmap each: the index says at once that a word is nowhere.
    exists = "EXISTS (SELECT FROM products AS p WHERE {} AND {} OFFSET 0)"
    row = await db.fetchrow(
        "SELECT "
        + ", ".join(exists.format(status, each) for each in [*has, " AND ".join(has)]),
        *filters.values,
    )
    known = list(row or ())
    if known.pop():  # some product has all of them
        return 0
    missing = sum(1 << n for n, there in enumerate(known) if not there)
    return missing or (1 << len(known)) - 1


async def _score(db: Db, filters: Filters, query: ListProducts, words: Words) -> str:
    """The expression of how well a product fits the words."""
    sku_of = await db.fetchval(
        "SELECT product_id FROM variants WHERE active AND sku = $1", query.q
    )

    def query_of(*forms: str) -> str:
        return f"p.search @@ {filters.value(' | '.join(forms))}::text::tsquery"

    def all_of(*forms: str) -> str:
        parts = [
            found(filters, word, [f for n in forms if (f := getattr(word, n))])
            for word in words.words
        ]
        return " AND ".join(parts) or "false"

    names = [query_of(_of_name(word.exact)) for word in words.words]
    inside = [query_of(*map(_of_name, word.queries)) for word in words.words]
    wide = filters.value(" | ".join(word.wide for word in words.words))
    typed = " ".join(word.text for word in words.words)
    return _SCORE.format(
        names=f"{filters.value([words.folded, typed])}::text[]",
        letters=len(typed),
        sku_of=f"{filters.value(sku_of)}::uuid",
        in_name=" AND ".join(names) or "false",
        anywhere=all_of("exact"),
        begun=all_of("wide"),
        near=all_of("wide", "near"),
        in_name_each=" + ".join(f"({each})::int" for each in inside) or "0",
        count=max(1, len(inside)),
        any_word=f"{wide}::text::tsquery",
    )


def _of_name(query: str) -> str:
    """The same query of names alone: `'word'` is `'word':A`, `'wo':*` is `'wo':*A`."""
    return re.sub(r"'(:\*)?(?= |\)|$)", lambda m: f"'{m[1] or ':'}A", query)


def _sort(query: ListProducts) -> Sort:
    """Relevance means something only where words were given."""
    if query.sort is None or (query.sort == "relevance" and query.q is None):
        return "newest" if query.q is None else "relevance"
    return query.sort


def _scope(query: ListProducts) -> bytes:
    """What makes this list another than others: all that was asked but the page."""
    plain = msgspec.structs.replace(query, cursor=None, limit=1, facets=False)
    return blake2b(msgspec.msgpack.encode(plain), digest_size=SCOPE_BYTES).digest()


def _after(filters: Filters, column: str, order: _Order, cursor: Cursor) -> str:
    sign = "<" if order.descending else ">"
    # A time is compared as the very microsecond that the row holds.
    value: Any = cursor.value
    if order.type == "timestamptz":
        value = msgspec.convert(cursor.value, datetime)
    last, last_id = filters.value(value), filters.value(cursor.id)
    return f"({column}, p.id) {sign} ({last}::{order.type}, {last_id})"


def _plain(value: Any) -> Value:
    plain: Value = value.isoformat() if isinstance(value, datetime) else value
    return plain
