"""How the world reaches products: the catalogue, its categories and its reviews."""

from serve_app.products import bulk, catalogue, categories, reviews
from serve_app.products.router import router

__all__ = ["bulk", "catalogue", "categories", "reviews", "router"]
