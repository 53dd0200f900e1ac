"""A round of orders' steps: decided in memory, then written at once."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from msgspec.structs import replace

from actors.orders.decisions import subtract
from actors.orders.moving import actor_of
from bus.kit.messages import Command
from bus.kit.refusals import Refusal, not_found
from bus.orders import OrderStatus, OrderUpdated, Viewer
from bus.orders.steps import AwaitPayment, BeginCancel, Confirm, NotePayment
from persistence import orders as store
from persistence.kit.transaction import Tx
from persistence.orders import Cart, Order, Step

M = TypeVar("M", bound=Command[Any])
S = OrderStatus


def itself(order: Order, _: object) -> Order:
    """The reply of a step that says how the order is now."""
    return order


def noted(order: Order, now: datetime, **changes: Any) -> Order:
    """The order with something new that its timeline tells, in the status it has."""
    return replace(order, version=order.version + 1, updated_at=now, **changes)


async def change(
    tx: Tx,
    messages: Sequence[M],
    decide: Callable[[Order, M], Order | Refusal],
    reply: Callable[[Order, M], Any],
    *,
    clears_cart: bool = False,
    frees_cart: bool = False,
) -> list[Any]:
    """Decide a round in memory, one message after another, then write it at once.

    Every version of an order is a line of its timeline.
    """
    ids = [m.order_id for m in messages]  # type: ignore[attr-defined]
    orders = await store.load_orders(tx, ids)
    before = dict(orders)
    answers: list[Any] = []
    steps: list[Step] = []
    moved_lines = False
    for m, order_id in zip(messages, ids, strict=True):
        order = orders[order_id]
        if order is None:
            answers.append(not_found("order"))
            continue
        after = decide(order, m)
        if isinstance(after, Refusal):
            answers.append(after)
            continue
        if after.version != order.version:
            steps.append(_step(after, m))
            if after.status is order.status:
                _tell_updated(tx, after, m)
            moved_lines |= after.lines is not order.lines
        orders[order_id] = after
        answers.append(reply(after, m))
    new = [o for key, o in orders.items() if o is not None and o is not before[key]]
    if new:
        await store.update_orders(tx, new, lines=moved_lines)
        if steps:
            await store.add_timeline(tx, steps)
        if clears_cart or frees_cart:
            await end_checkouts(tx, new)
    return answers


def _step(order: Order, m: Any) -> Step:
    """What the timeline says of a step: who took it, and why."""
    viewer = getattr(m, "viewer", None) or getattr(m, "request", m)
    viewer = getattr(viewer, "viewer", viewer)
    viewer = viewer if isinstance(viewer, Viewer) else None
    return Step(
        order=order,
        reason=_reason(order, m),
        actor=actor_of(order, viewer),
        actor_id=viewer.user_id if viewer else None,
    )


def _tell_updated(tx: Tx, order: Order, m: Any) -> None:
    """Tell what of the timeline no event of its own tells."""
    tx.tell(
        OrderUpdated(
            order_id=order.id,
            user_id=order.user_id,
            number=order.number,
            total=order.total,
            reason=_reason(order, m),
        ),
        about=m,
    )


def _reason(order: Order, m: Any) -> str:
    match m:
        case Confirm():
            return "paid" if order.status is S.CONFIRMED else "paid-late"
        case AwaitPayment() | NotePayment():
            return f"payment-{m.payment_status.lower()}"
        case BeginCancel():
            return m.reason
        case _:
            return "payment-begun"


async def end_checkouts(tx: Tx, orders: Sequence[Order]) -> None:
    """Take what was ordered out of the carts; of a cancelled order, only let go."""
    mine = [order for order in orders if order.from_cart]
    if not mine:
        return
    carts = await store.load_carts(tx, {order.buyer for order in mine})
    changed: dict[str, Cart] = {}
    for order in mine:
        cart = carts[order.buyer]
        if cart.ordering == order.id:  # a buyer's earlier order ends in this round, too
            changed[cart.buyer] = _after(cart, order)
    if changed:
        await store.save_carts(tx, changed.values())


def _after(cart: Cart, order: Order) -> Cart:
    lines = cart.lines
    if order.status is not S.CANCELLED:
        rest = ((line, subtract(order, line.sku, line.quantity)) for line in lines)
        lines = tuple(
            replace(line, quantity=left, total=line.unit_price * left)
            for line, left in rest
            if left
        )
    version = cart.version + (lines != cart.lines)
    return replace(cart, ordering=None, lines=lines, version=version)
