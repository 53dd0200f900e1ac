"""The contract's table itself: whose a thing is decides who is let in to it.

What each row says is asked of the shop in `test_contract_walk`.
"""

import re

import pytest

from tests.edge.contract import ROUTES, STREAMS, Role, Route

STAFF = {Role.ADMIN}
SELLING = {Role.SELLER, Role.ADMIN}
WHOSE = {
    "order_id": {Role.GUEST, Role.CUSTOMER, Role.SELLER, Role.ADMIN},
    "payment_id": {Role.GUEST, Role.CUSTOMER, Role.ADMIN},
    "method_id": {Role.CUSTOMER},
    "notification_id": {Role.CUSTOMER},
    "address_id": {Role.CUSTOMER},
    "product_id": SELLING,
    "import_id": SELLING,
    "seller_id": SELLING,
    "sku": SELLING,
    "file_id": {Role.CUSTOMER, Role.ADMIN},
    "review_id": STAFF,
    "category_id": STAFF,
    "user_id": STAFF,
    "warehouse_id": STAFF,
    "transfer_id": STAFF,
    "message_id": STAFF,
    "address": STAFF,
    "name": STAFF,
}
"""By the name of a thing who may do anything with it: its owner and staff.

Each role asks for the same thing; only the guest has an order of their own.
"""
OPEN = {
    "GET /products/{reference}",  # the shop window
    "GET /products/{product_id}/reviews",
    "POST /products/{product_id}/reviews",  # one's own, of another's product
    "GET /inventory/{sku}",  # fewer fields: tests/edge/test_contract_walk.py
    "PUT /cart/items/{sku}",  # in one's own cart
    "DELETE /cart/items/{sku}",
    "POST /payments/webhooks/{provider}",  # its signature decides
}
OF_SOMETHING = [route for route in (*ROUTES, *STREAMS) if "{" in route.line.split()[1]]
REFUSED = {401, 403, 404}


def names(route: Route) -> list[str]:
    """What the address of a route names, the thing that has an owner first."""
    found = re.findall(r"{(\w+)}", route.line)
    return sorted(found, key=lambda name: list(WHOSE).index(name))


@pytest.mark.parametrize(
    "route",
    [route for route in OF_SOMETHING if route.line not in OPEN],
    ids=lambda route: route.line,
)
def test_what_is_somebodys_is_not_a_strangers(route: Route) -> None:
    owners = WHOSE["product_id" if "product_id" in names(route) else names(route)[0]]
    let_in = {role for role in Role if route.status(role) not in REFUSED}
    if route.line == "POST /products/{product_id}/images":
        assert route.status(Role.FOREIGN) == 422  # it finds neither thing
        let_in.discard(Role.FOREIGN)
    assert let_in, "nobody is let in"
    assert let_in <= owners, f"strangers are let in: {let_in - owners}"


def test_what_is_open_is_served_and_what_has_an_owner_is_known() -> None:
    served = {route.line for route in OF_SOMETHING}
    assert served >= OPEN
    assert len(served) - len(OPEN) > 40
    used = {
        name for route in OF_SOMETHING for name in re.findall(r"{(\w+)}", route.line)
    }
    assert used - {"reference", "provider"} == set(WHOSE)
