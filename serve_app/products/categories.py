"""Routes of the category tree."""

from uuid import UUID

from bus.kit.addressing import derived_id
from bus.products import (
    CategoryView,
    CreateCategory,
    DeleteCategory,
    ListCategories,
    UpdateCategory,
)
from serve_app.kit.routing import (
    ADMIN,
    PUBLIC,
    Answer,
    Caller,
    ExpectedVersion,
    Near,
    ask,
    created,
)
from serve_app.products.bodies import CategoryBody
from serve_app.products.router import router
from serve_app.products.views import CategoryTree, tree_of

AGE_SECONDS_MAX = 2.0


@router.get("/categories", access=PUBLIC, near=Near(AGE_SECONDS_MAX))
async def list_categories() -> CategoryTree:
    """Show the tree of categories."""
    return tree_of((await ask(ListCategories())).items)


@router.post("/categories", access=ADMIN, idempotent=True, status=201)
async def create_category(body: CategoryBody, caller: Caller) -> Answer[CategoryView]:
    """Add a category."""
    command_id = caller.command_id()
    category_id = derived_id(command_id, "category")
    category = await ask(
        CreateCategory(category_id=category_id, draft=body.draft()), id=command_id
    )
    return created(category, f"/categories/{category.id}")


@router.put("/categories/{category_id}", access=ADMIN)
async def update_category(
    category_id: UUID, body: CategoryBody, version: ExpectedVersion
) -> CategoryView:
    """Rewrite or move a category; under itself: 409 `category-cycle`."""
    command = UpdateCategory(
        category_id=category_id, draft=body.draft(), version=version
    )
    return await ask(command)


@router.delete("/categories/{category_id}", access=ADMIN, also=(409,))
async def delete_category(category_id: UUID, version: ExpectedVersion) -> None:
    """Remove a category; one with products or children: 409 `category-in-use`."""
    await ask(DeleteCategory(category_id=category_id, version=version))
