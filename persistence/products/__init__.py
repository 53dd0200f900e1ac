"""What products remembers: the catalogue, its categories and its reviews."""

from persistence.products.catalogue import (
    find_product,
    list_skus,
    load_offers,
    load_products,
    save_products,
    save_stock,
)
from persistence.products.categories import (
    category_in_use,
    drop_category,
    hold_categories,
    list_categories,
    save_category,
)
from persistence.products.facets import count_facets
from persistence.products.reviews import (
    find_reviews,
    insert_review,
    load_review,
    moderate_review,
    move_rating,
    save_purchases,
)
from persistence.products.search import find_products, prepare_search
from persistence.products.state import Product
from persistence.products.tables import metadata

__all__ = [
    "Product",
    "category_in_use",
    "count_facets",
    "drop_category",
    "find_product",
    "find_products",
    "find_reviews",
    "hold_categories",
    "insert_review",
    "list_categories",
    "list_skus",
    "load_offers",
    "load_products",
    "load_review",
    "metadata",
    "moderate_review",
    "move_rating",
    "prepare_search",
    "save_category",
    "save_products",
    "save_purchases",
    "save_stock",
]
