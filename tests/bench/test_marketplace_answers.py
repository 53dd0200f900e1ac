"""What a marketplace's clients read of the shop's answers."""

import msgspec

from scripts.benching.marketplace.answers import Cart
from scripts.benching.marketplace.journal import Priced

CART = """{"id": "00000000-0000-7000-8000-000000000000", "items": [
  {"sku": "SAME", "quantity": 1, "unit_price": {"amount": 500, "currency": "USD"},
   "warnings": []},
  {"sku": "DEARER", "quantity": 1, "unit_price": {"amount": 500, "currency": "USD"},
   "current_price": {"amount": 502, "currency": "USD"}, "warnings": ["price-changed"]},
  {"sku": "GONE", "quantity": 1, "unit_price": {"amount": 500, "currency": "USD"},
   "warnings": ["unavailable"]}]}"""


def test_a_cart_shows_prices_of_today_and_none_of_what_is_withdrawn() -> None:
    cart = msgspec.json.decode(CART, type=Cart)
    assert cart.shown() == (
        Priced(sku="SAME", price=500),
        Priced(sku="DEARER", price=502),
    )
