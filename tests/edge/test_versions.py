"""What is edited is edited as it was seen: an old If-Match is 412 and changes nothing.

RFC 9110 §13.1.1. Without If-Match the last one to write wins.
"""

from typing import Any

from tests.edge.front import CARD, Front, Person, key, order

PARCEL = {"status": "SHIPPED", "carrier": "DHL", "tracking_number": "1Z"}


async def tag(person: Person, line: str) -> dict[str, str]:
    """If-Match with the ETag of what is read now."""
    await person.call(line, 200)
    return {"If-Match": person.headers["etag"]}


async def refused(
    person: Person, seen: str, line: str, body: Any, old: dict[str, str]
) -> None:
    """An old version is refused, and what is seen stays as it is."""
    before = await person.call(seen, 200)
    assert await person.code(line, 412, body, **old) == "version-mismatch"
    assert await person.call(seen, 200) == before


async def test_a_cart_is_written_as_it_was_seen(front: Front) -> None:
    ada, seen = await front.person(), "GET /cart"
    (a,) = await front.goods(5)
    line = f"/cart/items/{a}"
    await ada.call(f"PUT {line}", 200, {"quantity": 1})
    old = await tag(ada, seen)
    await ada.call(f"PUT {line}", 200, {"quantity": 2}, **old)
    await refused(ada, seen, f"PUT {line}", {"quantity": 3}, old)
    await refused(ada, seen, f"DELETE {line}", None, old)
    await refused(ada, seen, "DELETE /cart", None, old)
    await ada.call(f"DELETE {line}", 204, **await tag(ada, seen))
    await ada.call("DELETE /cart", 204, **await tag(ada, seen))


async def test_stock_is_counted_as_it_was_seen(front: Front) -> None:
    sam = await front.person("SELLER")
    (a,) = await front.goods(5, seller=sam)
    seen, put = f"GET /inventory/{a}", f"PUT /inventory/{a}"
    old, count = await tag(sam, seen), {"on_hand": 7, "reason": "count"}
    await sam.call(put, 200, count, **old)
    await refused(sam, seen, put, {**count, "on_hand": 9}, old)
    await refused(sam, seen, f"{put}/threshold", {"threshold": 1}, old)
    await sam.call(f"{put}/threshold", 200, {"threshold": 1}, **await tag(sam, seen))


async def test_an_order_is_moved_as_it_was_seen(front: Front) -> None:
    ada, admin = await front.person(), await front.person("ADMIN")
    (a,) = await front.goods(5)
    made = await ada.call("POST /orders", 201, order((a, 1)))
    seen = f"GET /orders/{made['id']}"
    moved = f"PUT /orders/{made['id']}"
    old = await tag(admin, seen)
    await admin.call(f"{moved}/status", 200, {"status": "PROCESSING"}, **old)
    await refused(admin, seen, f"{moved}/status", PARCEL, old)
    await refused(admin, seen, f"{moved}/cancel", None, old)
    await ada.call(f"{moved}/cancel", 200, **await tag(ada, seen))
    assert await front.available(a) == 5


async def test_a_stored_method_is_changed_as_it_was_seen(front: Front) -> None:
    ada, bob = await front.person(), await front.person()
    await ada.call("POST /payments/methods", 201, CARD, **key())
    kept = await ada.call("POST /payments/methods", 201, CARD)
    place = f"/payments/methods/{kept['id']}"
    old = await tag(ada, f"GET {place}")
    await ada.call(f"PUT {place}/default", 200, **old)
    await refused(ada, f"GET {place}", f"PUT {place}/default", None, old)
    await refused(ada, f"GET {place}", f"DELETE {place}", None, old)
    assert await bob.code(f"DELETE {place}", 404, **old) == "not-found"
    await ada.call(f"DELETE {place}", 204, **await tag(ada, f"GET {place}"))
