"""How the world reaches products: the catalogue, its categories and its reviews."""

from serve_app.products import catalogue, categories, reviews
from serve_app.products.router import router

__all__ = ["catalogue", "categories", "reviews", "router"]
