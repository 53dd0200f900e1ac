"""What products does: one class of several parts."""

from actors.products.catalogue import Catalogue
from actors.products.categories import CategoryTree
from actors.products.imported import ImportedGoods
from actors.products.importing import Importing
from actors.products.reviews import Reviews


class Products(Catalogue, CategoryTree, Reviews, ImportedGoods, Importing):
    """The catalogue, its categories, its reviews, and goods that come in bulk."""

    name = "products"


__all__ = ["Products"]
