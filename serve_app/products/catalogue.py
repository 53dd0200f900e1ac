"""Routes of products, their variants and their pictures."""

from uuid import UUID

from bus.kit.addressing import derived_id
from bus.products import (
    AddImage,
    AddVariant,
    ArchiveProduct,
    CreateProduct,
    GetProduct,
    Image,
    ListPrices,
    PriceHistory,
    ProductView,
    RemoveImage,
    RemoveVariant,
    RestoreProduct,
    UpdateImage,
    UpdateProduct,
    UpdateVariant,
)
from serve_app.kit.bodies import Sku
from serve_app.kit.routing import (
    PUBLIC,
    SELLER,
    Answer,
    Caller,
    ExpectedVersion,
    Near,
    Pages,
    ask,
    created,
)
from serve_app.products.bodies import (
    ImageBody,
    ImagePatchBody,
    ProductBody,
    ProductPatchBody,
    VariantBody,
)
from serve_app.products.router import editor_of, router, seller_of, tag_of
from serve_app.products.views import Product, with_availability

REFERENCE_MAX = 100
AGE_SECONDS_MAX = 1.0
"""Age of an answer with `available` in it (contract: a hint a second old)."""


@router.get(
    "/products/{reference}",
    access=PUBLIC,
    near=Near(AGE_SECONDS_MAX, lambda product: (tag_of(product.id),)),
)
async def get_product(reference: str, caller: Caller) -> Product:
    """Show a product, by its id or its slug."""
    query = GetProduct(
        reference=reference[: REFERENCE_MAX + 1].replace("\x00", ""),
        viewer_id=caller.user_id,
        viewer_is_admin=caller.is_admin,
    )
    return await _shown(await ask(query))


@router.post("/products", access=SELLER, idempotent=True, status=201)
async def create_product(body: ProductBody, caller: Caller) -> Answer[Product]:
    """Put a product into the catalogue.

    A seller's product is the seller's own, an administrator's the shop's or that of
    `seller_id`. Its SKUs are taken for it for ever: 409 `sku-taken`, and 409
    `slug-taken` for a given slug.
    """
    command_id = caller.command_id()
    command = CreateProduct(
        product_id=derived_id(command_id, "product"),
        seller_id=seller_of(caller, body),
        draft=body.draft(),
    )
    product = await _shown(await ask(command, id=command_id))
    return created(product, f"/products/{product.id}")


@router.put("/products/{product_id}", access=SELLER)
async def replace_product(
    product_id: UUID, body: ProductBody, caller: Caller, version: ExpectedVersion
) -> Product:
    """Replace a product; variants that are not named are sold no longer.

    An administrator may give it to another seller by `seller_id`.
    """
    seller_of(caller, body)
    command = UpdateProduct(
        product_id=product_id,
        editor_id=editor_of(caller),
        changes=body.changes(),
        version=version,
        actor_id=caller.person,
    )
    return await _shown(await ask(command))


@router.patch("/products/{product_id}", access=SELLER)
async def update_product(
    product_id: UUID, body: ProductPatchBody, caller: Caller, version: ExpectedVersion
) -> Product:
    """Change the fields that are given; `seller_id` is an administrator's to give."""
    seller_of(caller, body)
    command = UpdateProduct(
        product_id=product_id,
        editor_id=editor_of(caller),
        changes=body.changes(),
        version=version,
        actor_id=caller.person,
    )
    return await _shown(await ask(command))


@router.delete("/products/{product_id}", access=SELLER)
async def archive_product(
    product_id: UUID, caller: Caller, version: ExpectedVersion
) -> None:
    """Archive a product: it is sold no more, and orders keep what they hold of it.

    Nobody but its seller and administrators finds it; its SKUs stay taken, its slug is
    free for others. `POST /products/{id}/restore` brings it back.
    """
    editor = editor_of(caller)
    await ask(ArchiveProduct(product_id=product_id, editor_id=editor, version=version))


@router.post(
    "/products/{product_id}/restore", access=SELLER, idempotent=True, also=(409,)
)
async def restore_product(
    product_id: UUID, caller: Caller, version: ExpectedVersion
) -> Product:
    """Bring an archived product back as a draft, to be looked at before it is sold.

    Where its slug was taken meanwhile it gets a longer one. A product that is not
    archived stays as it is.
    """
    command = RestoreProduct(
        product_id=product_id, editor_id=editor_of(caller), version=version
    )
    return await _shown(await ask(command, id=caller.command_id()))


@router.get("/products/{product_id}/prices", access=SELLER)
async def list_prices(product_id: UUID, caller: Caller, pages: Pages) -> PriceHistory:
    """Show what a product's prices were, newest change first: own ones, or any.

    `lowest_price_30_days` has, for each SKU that was reduced last, the lowest price of
    the 30 days before (Directive 98/6/EC, article 6a: the EU's Omnibus directive).
    """
    query = ListPrices(
        product_id=product_id,
        viewer_id=editor_of(caller),
        limit=pages.limit,
        cursor=pages.cursor,
    )
    return await ask(query)


@router.post("/products/{product_id}/variants", access=SELLER, idempotent=True)
async def add_variant(
    product_id: UUID, body: VariantBody, caller: Caller, version: ExpectedVersion
) -> Product:
    """Add a variant; values that its options lack are added to them."""
    command = AddVariant(
        product_id=product_id,
        editor_id=editor_of(caller),
        variant=body.value(),
        version=version,
        actor_id=caller.person,
    )
    return await _shown(await ask(command, id=caller.command_id()))


@router.put("/products/{product_id}/variants/{sku}", access=SELLER)
async def update_variant(
    product_id: UUID,
    sku: Sku,
    body: VariantBody,
    caller: Caller,
    version: ExpectedVersion,
) -> Product:
    """Rewrite a variant; the SKU in the body is that of the address."""
    command = UpdateVariant(
        product_id=product_id,
        editor_id=editor_of(caller),
        variant=body.model_copy(update={"sku": sku}).value(),
        version=version,
        actor_id=caller.person,
    )
    return await _shown(await ask(command))


@router.delete("/products/{product_id}/variants/{sku}", access=SELLER, also=(409,))
async def remove_variant(
    product_id: UUID, sku: Sku, caller: Caller, version: ExpectedVersion
) -> None:
    """Sell a variant no longer; the last one of a product has to stay."""
    command = RemoveVariant(
        product_id=product_id, editor_id=editor_of(caller), sku=sku, version=version
    )
    await ask(command)


@router.post("/products/{product_id}/images", access=SELLER, idempotent=True)
async def add_image(
    product_id: UUID, body: ImageBody, caller: Caller, version: ExpectedVersion
) -> Product:
    """Show an uploaded picture with a product, after those that it shows already."""
    command = AddImage(
        product_id=product_id,
        editor_id=editor_of(caller),
        image=Image(body.file_id, body.alt),
        version=version,
    )
    return await _shown(await ask(command, id=caller.command_id()))


@router.patch("/products/{product_id}/images/{file_id}", access=SELLER)
async def update_image(
    product_id: UUID,
    file_id: UUID,
    body: ImagePatchBody,
    caller: Caller,
    version: ExpectedVersion,
) -> Product:
    """Change a picture's alternative text, or its place: 0 is the first."""
    command = UpdateImage(
        product_id=product_id,
        editor_id=editor_of(caller),
        file_id=file_id,
        version=version,
        **body.changes(),
    )
    return await _shown(await ask(command))


@router.delete("/products/{product_id}/images/{file_id}", access=SELLER)
async def remove_image(
    product_id: UUID, file_id: UUID, caller: Caller, version: ExpectedVersion
) -> None:
    """Show a picture no longer; its file stays until it is deleted."""
    command = RemoveImage(
        product_id=product_id,
        editor_id=editor_of(caller),
        file_id=file_id,
        version=version,
    )
    await ask(command)


async def _shown(view: ProductView) -> Product:
    return (await with_availability([view]))[0]
