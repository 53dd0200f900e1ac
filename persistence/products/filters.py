"""The conditions of a search, as a statement under way has them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from bus.products import ListProducts
from persistence.kit.database import Db
from persistence.products.words import Word, Words

AMOUNT_MAX = 2**62

ANY_STOCK = """EXISTS (SELECT FROM variants AS v JOIN sku_stock AS s USING (sku)
    WHERE v.product_id = p.id AND v.active AND s.in_stock)"""
"""Whether a product `p` has any variant that can be had."""

_BRANCH = """
WITH RECURSIVE branch AS (
    SELECT id FROM categories WHERE id::text = lower($1) OR slug = $1
    UNION SELECT c.id FROM categories AS c JOIN branch ON c.parent_id = branch.id)
SELECT id FROM branch ORDER BY id"""


class Filters:
    """The values of a statement, and its conditions.

    `of_products` are about a product `p`, `of_variants` about one active variant `v`
    of it with its stock `s`: those must all hold on one and the same variant.
    """

    def __init__(
        self,
        query: ListProducts,
        words: Words | None = None,
        branch: list[UUID] | None = None,
    ) -> None:
        self.values: list[Any] = []
        self.of_products: list[str] = []
        self.of_variants: list[str] = []
        # As literals, so that an index which begins with the status gives its order.
        drafts = query.with_drafts
        add = self.of_products.append
        add("p.status <> 'ARCHIVED'" if drafts else "p.status = 'ACTIVE'")
        if query.seller_id is not None:
            add(f"p.seller_id = {self.value(query.seller_id)}")
        if words is not None:
            add(" AND ".join(found(self, w, w.queries) for w in words.words) or "false")
        if branch is not None:
            add(f"p.category_id = ANY({self.value(branch)})")
        if query.min_rating is not None:
            add(f"p.rating_millis >= 1000 * {self.value(query.min_rating)}::int")
        if query.in_stock is False:
            add(f"NOT {ANY_STOCK}")
        self._add_variants(query)

    def value(self, value: Any) -> str:
        """The placeholder of a new value."""
        self.values.append(value)
        return f"${len(self.values)}"

    @property
    def where(self) -> str:
        """All conditions together, about `p` alone."""
        conditions = self.of_products
        if self.of_variants:
            one = f"""EXISTS (SELECT FROM variants AS v LEFT JOIN sku_stock AS s
                USING (sku) WHERE v.product_id = p.id AND v.active
                AND {" AND ".join(self.of_variants)})"""
            conditions = [*conditions, one]
        return " AND ".join(conditions)

    def _add_variants(self, query: ListProducts) -> None:
        """Values of one option are choices; different options must all hold."""
        add = self.of_variants.append
        if query.min_price is not None or query.max_price is not None:
            high = AMOUNT_MAX if query.max_price is None else query.max_price
            low = self.value(query.min_price or 0)
            add(f"v.price_amount BETWEEN {low} AND {self.value(high)}")
        if query.in_stock:
            add("s.in_stock")
        chosen: dict[str, set[str]] = {}
        for name, value in query.options:
            chosen.setdefault(name.lower(), set()).add(value.lower())
        for name, values in sorted(chosen.items()):
            pairs = [f"{name}\x1f{value}" for value in sorted(values)]
            add(f"v.pairs && {self.value(pairs)}::text[]")


def found(filters: Filters, word: Word, queries: Sequence[str]) -> str:
    """Whether a product has a word, or stands in a category whose name has it."""
    has = f"p.search @@ {filters.value(' | '.join(queries))}::text::tsquery"
    if not word.categories:
        return has
    placed = f"p.category_id = ANY({filters.value(list(word.categories))}::uuid[])"
    return f"({has} OR {placed})"


async def find_branch(db: Db, category: str) -> list[UUID]:
    """A category, by its id or slug, and all its descendants; none if it is unknown."""
    return [row["id"] for row in await db.fetch(_BRANCH, category)]
