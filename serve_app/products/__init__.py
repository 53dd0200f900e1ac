"""How the world reaches products: the catalogue, its categories and its reviews."""

from serve_app.products import browsing, bulk, catalogue, categories, reviews
from serve_app.products.router import router

__all__ = ["browsing", "bulk", "catalogue", "categories", "reviews", "router"]
