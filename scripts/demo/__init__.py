"""The demo shop: goods, pictures, stock, reviews and accounts, loaded once."""

from scripts.demo.load import load

__all__ = ["load"]
