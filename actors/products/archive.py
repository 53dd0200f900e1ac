"""The archive: products that are sold no longer, and those that come back."""

import msgspec

from actors.kit.domain import handles
from actors.kit.process import Run
from actors.products import decide
from actors.products.catalogue import Catalogue
from actors.products.writing import Change, write_products
from bus.kit.values import Done
from bus.products import (
    ArchiveProduct,
    ProductArchived,
    ProductView,
    RestoreProduct,
    no_product,
    slug_taken,
)
from bus.products.steps import ReturnProduct
from persistence.kit.claims import Claim
from persistence.kit.transaction import Tx
from persistence.products import load_products, save_products


def return_claims(message: ReturnProduct) -> tuple[Claim, ...]:
    """The slugs that would do for a product that comes back."""
    return tuple(Claim("slug", slug, message.product_id) for slug in message.slugs)


class Archive(Catalogue):
    """What takes products out of the shop and back into it."""

    @handles(ArchiveProduct)
    async def archive_product(self, tx: Tx, message: ArchiveProduct) -> Done:
        """Take a product out of the shop; what is archived already stays so."""
        found = (await load_products(tx, [message.product_id])).get(message.product_id)
        product = decide.check_editor(found, message.editor_id, message.version)
        archived = msgspec.structs.replace(product, status="ARCHIVED")
        await save_products(tx, [decide.next_version(archived, tx.now)])
        await tx.release_claims([Claim("slug", product.slug, product.id)])
        tx.tell(ProductArchived(product_id=product.id, skus=product.skus))
        before = {"status": product.status}
        tx.audit(message, product.id, before, {"status": archived.status})
        return Done()

    @handles(RestoreProduct)
    async def restore_product(self, run: Run, message: RestoreProduct) -> ProductView:
        """Bring an archived product back, with its slug or one like it."""
        async with self.read() as db:
            found = await load_products(db, [message.product_id])
        product = found.get(message.product_id)
        if product is None or message.editor_id not in (None, product.seller_id):
            raise no_product()
        longer = decide.slugs(product.slug, None, product.id)[-1]
        view: ProductView = await run.settle(
            ReturnProduct(
                product_id=product.id,
                editor_id=message.editor_id,
                slugs=(product.slug, longer),
                version=message.version,
            )
        )
        return view

    @handles(ReturnProduct, claims=return_claims)
    async def return_product(self, tx: Tx, message: ReturnProduct) -> ProductView:
        """Make a draft of what is archived; what is not stays as it is."""
        found = (await load_products(tx, [message.product_id])).get(message.product_id)
        if found is None or message.editor_id not in (None, found.seller_id):
            raise no_product()
        decide.check_version(found, message.version)
        mine = [
            slug
            for slug in message.slugs
            if tx.claimed("slug", slug, message.product_id)
        ]
        archived = found.status == "ARCHIVED"
        if archived and not mine:
            raise slug_taken()
        slug = mine[0] if archived else found.slug
        if unused := [Claim("slug", each, found.id) for each in mine if each != slug]:
            await tx.release_claims(unused)
        if not archived:
            return self.view(found)
        back = msgspec.structs.replace(found, status="DRAFT", slug=slug)
        after = decide.next_version(back, tx.now)
        await write_products(tx, [Change(found, after, message)])
        return self.view(after)
