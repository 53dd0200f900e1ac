"""What products does: one class of three parts."""

from actors.products.catalogue import Catalogue
from actors.products.categories import CategoryTree
from actors.products.erasing import Erasing
from actors.products.reviews import Reviews


class Products(Catalogue, CategoryTree, Reviews, Erasing):
    """The catalogue, its categories and its reviews."""

    name = "products"


__all__ = ["Products"]
