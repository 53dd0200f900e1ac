"""The replica of products in carts: each row is what its product says."""

from collections.abc import Iterator
from typing import Any

from actors.auditing.books import Books, Finding
from actors.auditing.rows import KnownOffer, Product, Variant, one


def replica_of_products(books: Books) -> Iterator[Finding]:
    """What carts know of a SKU is what its product says in that version, its last one.

    A SKU that is sold no longer stays in the version in which it was withdrawn.
    """
    if "products" not in books.kits:
        return
    products = one(books.products, lambda row: row.id)
    variants = one(books.variants, lambda row: row.sku)
    for row in books.replica:
        product, variant = products.get(row.product_id), variants.get(row.sku)
        ids = f"{row.sku} of {row.product_id}"
        if product is None or variant is None or variant.product_id != product.id:
            yield ids, "known, but there is no such SKU"
        elif row.version == product.version:
            if (known := _known(row)) != (said := _said(product, variant)):
                yield ids, f"known as {known}, products say {said}"
        elif row.version > product.version or row.on_sale or variant.active:
            yield ids, f"known in version {row.version}, it is in {product.version}"


def _known(row: KnownOffer) -> tuple[Any, ...]:
    price = (row.price_amount, row.currency)
    return (row.name, row.options, *price, row.seller_id, row.on_sale)


def _said(product: Product, variant: Variant) -> tuple[Any, ...]:
    price = (variant.price_amount, variant.currency)
    on_sale = variant.active and product.status == "ACTIVE"
    return (product.name, variant.options, *price, product.seller_id, on_sale)
