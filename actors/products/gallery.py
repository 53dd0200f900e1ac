"""Pictures of products: hung, ordered, renamed and taken down."""

from actors.kit.domain import handles
from actors.kit.process import Run
from actors.products import decide
from actors.products.catalogue import Catalogue
from bus.files import GetFile
from bus.kit.refusals import Refusal, RefusalKind
from bus.products import (
    AddImage,
    HangImage,
    ProductChanges,
    ProductView,
    RemoveImage,
    UpdateImage,
    unknown_image,
)
from persistence.kit.transaction import Tx


class Gallery(Catalogue):
    """What products are shown with."""

    @handles(AddImage)
    async def add_image(self, run: Run, message: AddImage) -> ProductView:
        """Hang a picture, once files has said that it is there for all to see."""
        try:
            file = await run.ask(GetFile(file_id=message.image.id))
        except Refusal as refusal:
            if refusal.data.kind is RefusalKind.NOT_FOUND:
                raise unknown_image() from None
            raise
        if message.editor_id is not None and file.owner_id != message.editor_id:
            raise unknown_image()
        view: ProductView = await run.settle(
            HangImage(
                product_id=message.product_id,
                editor_id=message.editor_id,
                image=message.image,
                version=message.version,
            )
        )
        return view

    @handles(HangImage)
    async def hang_image(self, tx: Tx, message: HangImage) -> ProductView:
        """Hang a picture under a product."""
        product = await self.editable(tx, message)
        images = decide.with_image(product, message.image)
        if isinstance(images, Refusal):
            raise images
        if images == product.images:
            return self.view(product)  # it hangs there already
        return await self.save(tx, message, product, ProductChanges(), images)

    @handles(RemoveImage)
    async def remove_image(self, tx: Tx, message: RemoveImage) -> ProductView:
        """Take a picture down."""
        product = await self.editable(tx, message)
        images = tuple(each for each in product.images if each.id != message.file_id)
        if len(images) == len(product.images):
            raise unknown_image()
        return await self.save(tx, message, product, ProductChanges(), images)

    @handles(UpdateImage)
    async def update_image(self, tx: Tx, message: UpdateImage) -> ProductView:
        """Change a picture's text or place."""
        product = await self.editable(tx, message)
        images = decide.with_changed_image(
            product.images, message.file_id, message.alt, message.position
        )
        return await self.save(tx, message, product, ProductChanges(), images)
