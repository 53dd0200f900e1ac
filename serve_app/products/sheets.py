"""A product as lines of a CSV: one for each variant, and for each further picture."""

import csv
import io
from collections.abc import Mapping
from uuid import UUID

from bus.products import ImageView
from bus.products.sheets import (
    EXPORTED,
    SHEET_OPTIONS_MAX,
    column_name,
    decimal_of,
    guarded,
    html_of,
)
from serve_app.products.views import Product, Variant

Cells = dict[str, str]


def header() -> bytes:
    """The first line: the columns' names."""
    return _written([[column_name(column) for column in EXPORTED]])


def lines_of(product: Product, categories: Mapping[UUID, str], base_url: str) -> bytes:
    """All lines of a product; addresses of its pictures begin with `base_url`."""
    names = [option.name for option in product.options[:SHEET_OPTIONS_MAX]]
    count = max(len(product.variants), len(product.images))
    rows: list[Cells] = [{"handle": product.slug} for _ in range(count)]
    rows[0] |= _of_product(product, categories)
    for number, name in enumerate(names or ["Title"], 1):
        rows[0][f"option{number}_name"] = guarded(name)
    for row, variant in zip(rows, product.variants, strict=False):
        row.update(_of_variant(variant, names))
    for position, (row, image) in enumerate(zip(rows, product.images, strict=False), 1):
        row.update(_of_image(image, position, base_url))
    return _written([[row.get(column, "") for column in EXPORTED] for row in rows])


def _of_product(product: Product, categories: Mapping[UUID, str]) -> Cells:
    category = product.category_id and categories.get(product.category_id)
    return {
        "title": guarded(product.name),
        "description": html_of(product.description),
        "category": guarded(category or ""),
        "published": "TRUE" if product.status == "ACTIVE" else "FALSE",
        "status": product.status.lower(),
    }


def _of_variant(variant: Variant, names: list[str]) -> Cells:
    values = [variant.options[name] for name in names] or ["Default Title"]
    compare = variant.compare_at_price
    return {
        "sku": variant.sku,
        "grams": "" if variant.weight_grams is None else str(variant.weight_grams),
        "tracker": "shopify",
        "pieces": str(variant.available),
        "policy": "deny",
        "fulfilment": "manual",
        "price": decimal_of(variant.price),
        "compare_at_price": "" if compare is None else decimal_of(compare),
        "barcode": _barcode(variant.barcode or ""),
        **{
            f"option{number}_value": guarded(value)
            for number, value in enumerate(values, 1)
        },
    }


def _of_image(image: ImageView, position: int, base_url: str) -> Cells:
    address = f"{base_url}{image.url}" if image.url.startswith("/") else image.url
    return {
        "image": address,
        "image_position": str(position),
        "image_alt": guarded(image.alt),
    }


def _barcode(text: str) -> str:
    """An import takes one apostrophe away, for Shopify writes one before each."""
    return f"'{text}" if guarded(text) != text or text.startswith("'") else text


def _written(rows: list[list[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
