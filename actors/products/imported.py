"""Products as files say them: made, changed where they differ, or left alone."""

from collections.abc import Iterator
from uuid import UUID

from actors.kit.domain import Domain, handles_many
from actors.products import decide
from actors.products.merging import merged, new_pieces
from actors.products.writing import Change, write_products
from bus.kit.refusals import FieldError, Refusal, conflict
from bus.products import StockStated, handle_taken, unknown_category
from bus.products.steps import Imported, ImportProduct
from persistence.kit.claims import Claim
from persistence.kit.transaction import Tx
from persistence.products import Product, hold_categories, load_products


def sheet_claims(message: ImportProduct) -> tuple[Claim, ...]:
    """The handle and the SKUs that a file's product wants for itself."""
    owner, sheet = message.product_id, message.sheet
    skus = (Claim("sku", variant.sku, owner) for variant in sheet.variants)
    return (Claim("slug", sheet.slug, owner), *skus)


class ImportedGoods(Domain):
    """What an import does to each product."""

    @handles_many(ImportProduct, claims=sheet_claims)
    async def import_product(
        self, tx: Tx, messages: list[ImportProduct]
    ) -> list[Imported | Refusal]:
        """Decide each alone and write those that differ together.

        Two files may speak of one product at once: the second is decided after the
        first was written.
        """
        answers: dict[int, Imported | Refusal] = {}
        for turn in _turns(messages):
            answers |= await self._import(tx, turn)
        return [answers[id(message)] for message in messages]

    async def _import(
        self, tx: Tx, messages: list[ImportProduct]
    ) -> dict[int, Imported | Refusal]:
        known = await load_products(tx, [each.product_id for each in messages])
        named = (each.sheet.category_id for each in messages)
        categories = await hold_categories(
            tx, [each for each in named if isinstance(each, UUID)]
        )
        answers: dict[int, Imported | Refusal] = {}
        changes: list[Change] = []
        for message in messages:
            before = known.get(message.product_id)
            try:
                after = self._merged(tx, message, before, categories)
            except Refusal as refusal:
                answers[id(message)] = refusal
                continue
            if after is before:
                answers[id(message)] = Imported("unchanged")
                continue
            answers[id(message)] = Imported("updated" if before else "created")
            changes.append(Change(before, after, message))
            if pieces := new_pieces(before, message.sheet):
                tx.tell(
                    StockStated(
                        product_id=after.id, pieces=pieces, actor_id=message.actor_id
                    ),
                    about=message,
                )
        if changes:
            await write_products(tx, changes)
        return answers

    def _merged(
        self,
        tx: Tx,
        message: ImportProduct,
        before: Product | None,
        categories: set[UUID],
    ) -> Product:
        """The product after this file; raises the refusal."""
        sheet, owner = message.sheet, message.product_id
        if before is not None and message.editor_id not in (None, before.seller_id):
            raise handle_taken()
        if before is not None:
            decide.check_editor(before, None, None)
        if decide.reserved(sheet.slug) or not tx.claimed("slug", sheet.slug, owner):
            raise handle_taken()
        if before is not None and before.slug != sheet.slug:
            raise handle_taken()  # it was renamed since it was looked up
        skus = [variant.sku for variant in sheet.variants]
        if taken := [sku for sku in skus if not tx.claimed("sku", sku, owner)]:
            raise _skus_taken(taken)
        if isinstance(sheet.category_id, UUID) and sheet.category_id not in categories:
            raise unknown_category()
        after = merged(before, message, sheet.slug, tx.now)
        decide.check_variants(after.options, after.variants, self.settings.currency)
        return after


def _skus_taken(skus: list[str]) -> Refusal:
    """Each by its own name, so that its line is found; whose it is is not said."""
    errors = (
        FieldError(sku, "sku-taken", "The SKU is already in use.") for sku in skus
    )
    return conflict("sku-taken", "A SKU is already in use.", *errors)


def _turns(messages: list[ImportProduct]) -> Iterator[list[ImportProduct]]:
    """The messages in parts in which no product is named twice."""
    left = messages
    while left:
        first = {message.product_id: message for message in reversed(left)}
        turn = list(first.values())
        yield turn
        chosen = {id(message) for message in turn}
        left = [message for message in left if id(message) not in chosen]
