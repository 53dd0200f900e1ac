"""What products show to who compares."""

from persistence.kit.books import Books, Shown

BOOKS = Books(
    shown=(
        Shown("products", "id, version, name, status, seller_id", "id", walk="id"),
        Shown(
            "variants",
            "sku, product_id, active, options, price_amount, currency",
            "sku",
            kind="text",
        ),
        Shown(
            "variants_of",
            "sku, product_id, active, options, price_amount, currency",
            "product_id",
            source="variants",
            watched=False,
        ),
        Shown("sku_stock", "sku, in_stock", "sku", kind="text", walk="sku"),
        Shown("purchases", "order_id, product_id", "order_id"),
    ),
    noted=True,
)
