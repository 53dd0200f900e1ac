"""What a product becomes by what a file says of it, decided without a database."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import UNSET

from actors.products import decide
from bus.products import Option, ProductChanges, ProductDraft, VariantDraft
from bus.products.steps import ImportProduct, ProductSheet, VariantSheet
from persistence.products import Product


def merged(
    product: Product | None, message: ImportProduct, slug: str, now: datetime
) -> Product:
    """The product that a file makes, or the next version of the one there is.

    Where the file says nothing new it is the product itself, as it was.
    """
    sheet = message.sheet
    if product is None:
        return decide.created(
            message.product_id, message.seller_id, _draft(sheet), (), slug, now
        )
    changes = _changes(product, sheet)
    after = decide.changed(product, changes, now)
    same = msgspec.structs.replace(
        after, version=product.version, updated_at=product.updated_at
    )
    return product if same == product else after


def new_pieces(before: Product | None, sheet: ProductSheet) -> dict[str, int]:
    """By SKU that the file adds, how many pieces its stock is to open with."""
    known = () if before is None else (*before.skus, *before.retired)
    return {
        variant.sku: variant.pieces
        for variant in sheet.variants
        if variant.pieces and variant.sku not in known
    }


def _draft(sheet: ProductSheet) -> ProductDraft:
    return ProductDraft(
        name=sheet.name,
        description="" if sheet.description is UNSET else sheet.description,
        variants=tuple(_variant(each, None) for each in sheet.variants),
        category_id=None if sheet.category_id is UNSET else sheet.category_id,
        status="ACTIVE" if sheet.status is UNSET else sheet.status,
    )


def _changes(product: Product, sheet: ProductSheet) -> ProductChanges:
    """The edit that a file asks for; variants that it does not name stay."""
    known = {variant.sku: variant for variant in product.variants}
    named = {each.sku: _variant(each, known.get(each.sku)) for each in sheet.variants}
    new = [variant for sku, variant in named.items() if sku not in known]
    variants = (*(named.get(each.sku, each) for each in product.variants), *new)
    return ProductChanges(
        name=_kept(product.name, sheet.name),
        description=sheet.description,
        variants=variants,
        options=_options(product, variants),
        category_id=sheet.category_id,
        status=sheet.status,
    )


def _options(product: Product, variants: Sequence[VariantDraft]) -> tuple[Option, ...]:
    """The options with the values that are new; untouched where none is."""
    return decide.widened(product.options, variants)


def _variant(sheet: VariantSheet, before: VariantDraft | None) -> VariantDraft:
    """A variant as the file says it; what it has no column for stays."""
    options = dict(sheet.options)
    if before is not None and options == {
        name.strip(): value.strip() for name, value in before.options.items()
    }:
        options = before.options
    draft = VariantDraft(sku=sheet.sku, price=sheet.price, options=options)
    given = {
        name: value
        for name in ("compare_at_price", "barcode", "weight_grams")
        if (value := getattr(sheet, name)) is not UNSET
    }
    rest = {
        name: getattr(before, name)
        for name in ("compare_at_price", "barcode", "weight_grams")
        if before is not None and name not in given
    }
    if before is not None and before.barcode and given.get("barcode"):
        given["barcode"] = _kept(before.barcode, given["barcode"])
    return msgspec.structs.replace(draft, **given, **rest)


def _kept(old: str, new: str) -> str:
    """The old text where the new one differs by blanks around it: a file has none."""
    return old if old.strip() == new else new
