"""Refusals of payments: methods, charges, refunds."""

from typing import Any
from uuid import UUID

from bus.kit.addressing import new_id
from bus.kit.values import Money
from bus.payments import ATTEMPTS_MAX, METHODS_MAX, Charge, RefundOrder
from tests.edge.contract import Role
from tests.edge.front import CARD, order
from tests.edge.refusals.table import provokes
from tests.edge.scene import Scene


@provokes("card-number-refused", 422)
async def _card_number(scene: Scene) -> Any:
    body = {**CARD, "token": "4111111111111111"}
    return await scene.people[Role.OTHER].send("POST /payments/methods", body)


@provokes("unknown-token", 422)
async def _unknown_token(scene: Scene) -> Any:
    body = {**CARD, "token": "tok_nobodys"}
    return await scene.people[Role.OTHER].send("POST /payments/methods", body)


@provokes("payment-method-mismatch", 422)
async def _other_kind(scene: Scene) -> Any:
    person = await scene.front.person()
    kept = await person.call("POST /payments/methods", 201, CARD)
    payment = {"method": "PAYPAL", "payment_method_id": kept["id"]}
    (sku,) = await scene.front.goods(1)
    return await person.send("POST /orders", order((sku, 1), payment=payment))


@provokes("too-many-methods", 409)
async def _hoarder(scene: Scene) -> Any:
    person = await scene.front.person()
    for _ in range(METHODS_MAX):
        await person.call("POST /payments/methods", 201, CARD)
    return await person.send("POST /payments/methods", CARD)


@provokes("refund-exceeds-capture", 409)
async def _too_much_back(scene: Scene) -> Any:
    post = f"POST /payments/{await _payment(scene)}/refunds"
    body = {"amount": {"amount": 1001, "currency": "USD"}, "reason": "broken"}
    return await scene.people[Role.ADMIN].send(post, body)


@provokes("currency-mismatch", 422)
async def _other_money(scene: Scene) -> Any:
    post = f"POST /payments/{await _payment(scene)}/refunds"
    body = {"amount": {"amount": 1, "currency": "EUR"}, "reason": "broken"}
    return await scene.people[Role.ADMIN].send(post, body)


@provokes("invalid-amount", 422)
async def _nothing(scene: Scene) -> Any:
    order_id = await _paid(scene)
    none = Money(0, "USD")
    refund = RefundOrder(order_id=order_id, refund_id=new_id(order_id), amount=none)
    return await scene.front.shop.ask(refund)


@provokes("payment-token-required", 422)
async def _no_token(scene: Scene) -> Any:
    return await _charge(scene, new_id(), token=None)


@provokes("unknown-payment-method", 422)
async def _gold(scene: Scene) -> Any:
    return await _charge(scene, new_id(), method="GOLD")


@provokes("too-many-attempts", 409)
async def _stubborn(scene: Scene) -> Any:
    return await _charge(scene, new_id(), attempt=ATTEMPTS_MAX + 1)


@provokes("payment-in-progress", 409)
async def _still_open(scene: Scene) -> Any:
    order_id = new_id()
    await _charge(scene, order_id, token="tok_pending_60000")
    return await _charge(scene, order_id, attempt=2)


@provokes("already-paid", 409)
async def _paid_before(scene: Scene) -> Any:
    return await _charge(scene, await _paid(scene), attempt=2)


@provokes("attempt-mismatch", 409)
async def _another_sum(scene: Scene) -> Any:
    return await _charge(scene, await _paid(scene), amount=Money(1, "USD"))


@provokes("attempt-superseded", 409)
async def _late_attempt(scene: Scene) -> Any:
    order_id = new_id()
    await _charge(scene, order_id, token="tok_declined", attempt=2)
    return await _charge(scene, order_id, attempt=1)


# --- private ---


async def _payment(scene: Scene) -> str:
    person = scene.people[Role.CUSTOMER]
    made = await person.call("POST /orders", 201, order((scene.sku, 1)))
    return str(made["payment"]["id"])


async def _charge(scene: Scene, order_id: UUID, **more: Any) -> Any:
    values: dict[str, Any] = {
        "order_id": order_id,
        "amount": Money(1000, "USD"),
        "method": "CREDIT_CARD",
        "token": "tok_visa",
    }
    return await scene.front.shop.ask(Charge(**{**values, **more}))


async def _paid(scene: Scene) -> UUID:
    """An order's id that money was taken for."""
    order_id = new_id()
    await _charge(scene, order_id)
    return order_id
