"""A shop whose users, orders and products are fakes."""

from collections.abc import Callable
from typing import Any

import pytest

from actors import DOMAINS
from tests.notifications import fakes


@pytest.fixture
def told_shop(shop: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Starts shops of real notifications and messaging beside the fakes."""
    for fake in (fakes.Users, fakes.Orders, fakes.Products):
        place = f"tests.notifications.fakes:{fake.__name__}"
        monkeypatch.setitem(DOMAINS, fake.name, place)
    fakes.Users.people = {}
    fakes.Users.staff = ()
    fakes.Users.away = False
    fakes.Orders.contacts = {}
    fakes.Orders.orders = {}
    fakes.Products.offers = {}
    domains = ("notifications", "messaging", "users", "orders", "products")
    return lambda **options: shop(*domains, **options)
