"""Refusals of carts and orders."""

import asyncio
from typing import Any
from uuid import uuid4

from bus.kit.addressing import new_id
from bus.kit.values import Money
from bus.orders import AddToCart, MergeCart, OrderLine, OrderStatus, PlaceOrder
from bus.orders.carts import LineOffer, PutLine
from bus.orders.steps import Accept
from tests.edge.contract import Role
from tests.edge.front import CARD, Person, key, order
from tests.edge.refusals.table import provokes
from tests.edge.scene import Scene
from tests.orders.fakes import ADDRESS
from tests.payments.support import until

SLOW = {"payment": {**CARD, "token": "tok_slow_500"}}


@provokes("cart-empty", 422)
async def _empty(scene: Scene) -> Any:
    return await (await scene.front.person()).send("POST /orders", order())


@provokes("cart-changed", 409)
async def _changed(scene: Scene) -> Any:
    buyer, sku = new_id(), scene.sku
    await scene.front.shop.ask(AddToCart(buyer=str(buyer), sku=sku, quantity=2))
    seen = OrderLine(
        sku=sku,
        product_id=new_id(),
        name="Thing",
        options={},
        quantity=1,
        unit_price=Money(1000, "USD"),
        total=Money(1000, "USD"),
        status=OrderStatus.PENDING,
    )
    wish = PlaceOrder(
        buyer=str(buyer),
        user_id=buyer,
        shipping_address=ADDRESS,
        method="CREDIT_CARD",
        token="tok_visa",
    )
    accept = Accept(order_id=new_id(buyer), request=wish, lines=(seen,), from_cart=True)
    return await scene.front.shop.ask(accept)


@provokes("checkout-in-progress", 409)
async def _twice_at_once(scene: Scene) -> Any:
    return await while_ordering(scene, again=False)


@provokes("order-in-progress", 409)
async def _too_soon(scene: Scene) -> Any:
    return await while_ordering(scene, cancel=True)


@provokes("same-cart", 422)
async def _itself(scene: Scene) -> Any:
    buyer = str(new_id())
    return await scene.front.shop.ask(MergeCart(buyer=buyer, guest=buyer))


@provokes("quantity-out-of-range", 422)
async def _too_many_pieces(scene: Scene) -> Any:
    line = {"sku": scene.sku, "quantity": 999}
    person = await scene.front.person()
    await person.call("POST /cart/items", 200, line)
    return await person.send("POST /cart/items", {**line, "quantity": 1})


@provokes("too-many-lines", 422)
async def _too_many_lines(scene: Scene) -> Any:
    buyer = str(new_id())
    for number in range(101):
        offer = LineOffer(
            sku=f"L-{number}",
            product_id=str(new_id()),
            name="Thing",
            options={},
            price=Money(1, "USD"),
            available=1,
        )
        put = PutLine(buyer=buyer, sku=offer.sku, quantity=1, add=True, offers=(offer,))
        await scene.front.shop.ask(put)


@provokes("unknown-sku", 422)
async def _unknown_sku(scene: Scene) -> Any:
    return await scene.people[Role.OTHER].send("POST /orders", order(("NO-SUCH", 1)))


@provokes("price-changed", 409)
async def _dearer(scene: Scene) -> Any:
    body = order((scene.sku, 1))
    body["items"][0]["unit_price"] = {"amount": 1, "currency": "USD"}
    return await scene.people[Role.OTHER].send("POST /orders", body)


@provokes("out-of-stock", 409)
async def _short(scene: Scene) -> Any:
    (sku,) = await scene.front.goods(1)
    return await scene.people[Role.OTHER].send("POST /orders", order((sku, 2)))


@provokes("payment-declined", 402)
async def _declined(scene: Scene) -> Any:
    declined = {"payment": {**CARD, "token": "tok_declined"}}
    body = order((scene.sku, 1), **declined)
    return await scene.people[Role.OTHER].send("POST /orders", body)


@provokes("email-required", 422)
async def _no_address(scene: Scene) -> Any:
    return await scene.front.guest.send("POST /orders", order((scene.sku, 1)))


@provokes("address-required", 422)
async def _no_book(scene: Scene) -> Any:
    body = order((scene.sku, 1), email="gus@example.com", address_id=str(uuid4()))
    body["shipping_address"] = None
    return await scene.front.guest.send("POST /orders", body)


@provokes("not-cancellable", 409)
async def _cancelled(scene: Scene) -> Any:
    person, place = await _ordered(scene)
    await person.call(f"PUT {place}/cancel", 200)
    return await person.send(f"PUT {place}/cancel")


@provokes("not-payable", 409)
async def _paid_for(scene: Scene) -> Any:
    person, place = await _ordered(scene)
    return await person.send(f"POST {place}/payment", {"payment": CARD})


@provokes("invalid-transition", 409)
async def _out_of_order(scene: Scene) -> Any:
    _, place = await _ordered(scene)
    body = {"status": "DELIVERED"}
    return await scene.people[Role.ADMIN].send(f"PUT {place}/status", body)


@provokes("tracking-required", 422)
async def _untracked(scene: Scene) -> Any:
    _, place = await _ordered(scene)
    body = {"status": "SHIPPED"}
    return await scene.people[Role.ADMIN].send(f"PUT {place}/status", body)


@provokes("invalid-status", 422)
async def _no_step(scene: Scene) -> Any:
    _, place = await _ordered(scene)
    body = {"status": "REFUNDED"}
    return await scene.people[Role.ADMIN].send(f"PUT {place}/status", body)


@provokes("seller-required", 422)
async def _whose(scene: Scene) -> Any:
    return await scene.people[Role.ADMIN].send("GET /sellers/dashboard")


async def while_ordering(
    scene: Scene, *, again: bool = False, cancel: bool = False
) -> Any:
    """The answer to what is asked while the bank takes its time with an order."""
    person, once = await scene.front.person(), key()
    await person.call("POST /cart/items", 200, {"sku": scene.sku, "quantity": 1})
    first = asyncio.create_task(person.call("POST /orders", 201, order(**SLOW), **once))

    async def accepted() -> Any:
        return (await person.call("GET /orders", 200))["items"]

    (placing,) = await until(accepted)
    if cancel:
        place = f"/orders/{placing['id']}"
        answer = await person.send(f"PUT {place}/cancel")
    else:
        headers = once if again else key()
        answer = await person.send("POST /orders", order(**SLOW), **headers)
    await first
    return answer


# --- private ---


async def _ordered(scene: Scene) -> tuple[Person, str]:
    """A confirmed order: its buyer, and its path."""
    person = scene.people[Role.CUSTOMER]
    made = await person.call("POST /orders", 201, order((scene.sku, 1)))
    return person, f"/orders/{made['id']}"
