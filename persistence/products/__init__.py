"""What products remembers: the catalogue, its categories and its reviews."""

from persistence.products.catalogue import (
    find_product,
    find_slugs,
    list_skus,
    load_catalogue,
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
from persistence.products.erasing import erase_words, worded_reviews
from persistence.products.facets import count_facets
from persistence.products.imports import (
    ImportState,
    append_piece,
    count_bytes,
    count_open_imports,
    cut_file,
    drop_import,
    find_import,
    finish_import,
    has_import,
    insert_import,
    note_import,
    read_file,
    take_up_import,
)
from persistence.products.prices import (
    PriceStep,
    find_prices,
    lowest_prices,
    save_prices,
)
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
    "ImportState",
    "PriceStep",
    "Product",
    "append_piece",
    "category_in_use",
    "count_bytes",
    "count_facets",
    "count_open_imports",
    "cut_file",
    "drop_category",
    "drop_import",
    "erase_words",
    "find_import",
    "find_prices",
    "find_product",
    "find_products",
    "find_reviews",
    "find_slugs",
    "finish_import",
    "has_import",
    "hold_categories",
    "insert_import",
    "insert_review",
    "list_categories",
    "list_skus",
    "load_catalogue",
    "load_offers",
    "load_products",
    "load_review",
    "lowest_prices",
    "metadata",
    "moderate_review",
    "move_rating",
    "note_import",
    "prepare_search",
    "read_file",
    "save_category",
    "save_prices",
    "save_products",
    "save_purchases",
    "save_stock",
    "take_up_import",
    "worded_reviews",
]
