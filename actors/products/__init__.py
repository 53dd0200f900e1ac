"""What products does: one class of several parts."""

from actors.products.archive import Archive
from actors.products.categories import CategoryTree
from actors.products.erasing import Erasing
from actors.products.gallery import Gallery
from actors.products.imported import ImportedGoods
from actors.products.importing import Importing
from actors.products.reviews import Reviews
from persistence.products.shown import BOOKS


class Products(
    Gallery, Archive, CategoryTree, Reviews, ImportedGoods, Importing, Erasing
):
    """The catalogue, its categories, its reviews, and goods that come in bulk."""

    name = "products"
    shown = BOOKS


__all__ = ["Products"]
