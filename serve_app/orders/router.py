"""The router of orders' routes, and who asks them."""

import hashlib

from bus.orders import Viewer
from serve_app.kit.routing import Caller, Router

router = Router("orders")


def viewer_of(caller: Caller) -> Viewer:
    """Who asks, as orders knows people: by id and role, or by an order's token."""
    return Viewer(
        user_id=caller.user_id,
        role=caller.role or "CUSTOMER",
        token_hash=token_hash_of(caller.order_token),
    )


def token_hash_of(token: str | None) -> bytes | None:
    """What is stored of an order's token."""
    return None if token is None else hashlib.sha256(token.encode()).digest()
