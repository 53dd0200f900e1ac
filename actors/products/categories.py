"""The category tree: all its changes meet in one slot, so it stays a tree."""

from uuid import UUID

from actors.kit.domain import Domain, handles
from actors.products import decide
from bus.kit.refusals import conflict, stale
from bus.kit.values import Done
from bus.products import (
    Categories,
    CategoryView,
    CreateCategory,
    DeleteCategory,
    ListCategories,
    UpdateCategory,
    category_in_use,
    no_category,
)
from persistence import products as store
from persistence.kit.database import Db
from persistence.kit.transaction import Tx

CATEGORIES_MAX = 10_000


class CategoryTree(Domain):
    """Categories, and nothing that stands in them."""

    @handles(CreateCategory)
    async def create_category(self, tx: Tx, message: CreateCategory) -> CategoryView:
        """Add a category, insert-once by its id."""
        tree = await store.list_categories(tx)
        for category in tree:
            if category.id == message.category_id:
                return category
        if len(tree) >= CATEGORIES_MAX:
            raise conflict("too-many-categories", f"At most {CATEGORIES_MAX}.")
        new = decide.placed_category(message.category_id, message.draft, tree, tx.now)
        await store.save_category(tx, new)
        tx.audit(message, new.id, after=decide.category_facts(new))
        return new

    @handles(UpdateCategory)
    async def update_category(self, tx: Tx, message: UpdateCategory) -> CategoryView:
        """Rewrite or move a category of the version that was seen."""
        tree = await store.list_categories(tx)
        before = _seen(tree, message.category_id, message.version)
        category = decide.placed_category(
            message.category_id, message.draft, tree, tx.now
        )
        await store.save_category(tx, category)
        facts = decide.category_facts(before), decide.category_facts(category)
        tx.audit(message, category.id, *facts)
        return category

    @handles(DeleteCategory)
    async def delete_category(self, tx: Tx, message: DeleteCategory) -> Done:
        """Remove an empty category."""
        tree = await store.list_categories(tx)
        before = _seen(tree, message.category_id, message.version)
        if await store.category_in_use(tx, message.category_id):
            raise category_in_use()
        await store.drop_category(tx, message.category_id)
        tx.audit(message, before.id, before=decide.category_facts(before))
        return Done()

    @handles(ListCategories)
    async def list_categories(self, db: Db, _: ListCategories) -> Categories:
        """The whole tree, parents first."""
        return Categories(tuple(await store.list_categories(db)))


def _seen(
    tree: list[CategoryView], category_id: UUID, version: int | None
) -> CategoryView:
    """Refuse a category that is not there, or has moved on since it was read."""
    found = next((each for each in tree if each.id == category_id), None)
    if found is None:
        raise no_category()
    if version is not None and version != found.version:
        raise stale()
    return found
