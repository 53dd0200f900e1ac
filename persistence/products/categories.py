"""The category tree: written by one slot, locked by whoever puts goods into it."""

from collections.abc import Iterable
from uuid import UUID

from bus.products import CategoryView
from persistence.kit.database import Db
from persistence.kit.transaction import Tx
from persistence.products.words import save_words

_COLUMNS = "id, version, created_at, updated_at, name, slug, parent_id, position"
_OF_CHILD = ", ".join(f"c.{name}" for name in _COLUMNS.split(", "))


async def list_categories(db: Db | Tx) -> list[CategoryView]:
    """All categories, parents before their children, each level in its order."""
    rows = await db.fetch(
        f"""WITH RECURSIVE tree AS (
              SELECT {_COLUMNS}, 0 AS depth FROM categories WHERE parent_id IS NULL
              UNION ALL
              SELECT {_OF_CHILD}, depth + 1
              FROM categories AS c JOIN tree ON c.parent_id = tree.id)
            SELECT {_COLUMNS} FROM tree
            ORDER BY depth, position, name, id"""
    )
    return [CategoryView(**row) for row in rows]


async def hold_categories(tx: Tx, ids: Iterable[UUID]) -> set[UUID]:
    """Those that exist, kept from being deleted until this transaction ends."""
    rows = await tx.fetch(
        "SELECT id FROM categories WHERE id = ANY($1) ORDER BY id FOR KEY SHARE",
        sorted(set(ids)),
    )
    return {row["id"] for row in rows}


async def category_in_use(tx: Tx, category_id: UUID) -> bool:
    """Whether it has children or products; none can be added until the step ends."""
    await tx.execute("SELECT FROM categories WHERE id = $1 FOR UPDATE", category_id)
    used: bool = await tx.fetchval(
        """SELECT EXISTS (SELECT FROM categories WHERE parent_id = $1)
               OR EXISTS (SELECT FROM products WHERE category_id = $1)""",
        category_id,
    )
    return used


async def save_category(tx: Tx, category: CategoryView) -> None:
    """Insert a category, or bring it one version further."""
    saved = await tx.fetchval(
        f"""INSERT INTO categories ({_COLUMNS}, search)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, to_tsvector('simple', folded($5))
                                                 || to_tsvector('english', folded($5)))
            ON CONFLICT (id) DO UPDATE SET version = excluded.version,
              updated_at = excluded.updated_at, name = excluded.name,
              slug = excluded.slug, parent_id = excluded.parent_id,
              position = excluded.position, search = excluded.search
            WHERE categories.version = excluded.version - 1
            RETURNING id""",
        *(getattr(category, name) for name in _COLUMNS.split(", ")),
    )
    if saved is None:
        raise RuntimeError("a category has changed between its reading and its writing")
    await save_words(tx, [category.name])


async def drop_category(tx: Tx, category_id: UUID) -> None:
    """Remove a category that nothing stands in."""
    await tx.execute("DELETE FROM categories WHERE id = $1", category_id)
