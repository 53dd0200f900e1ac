"""Trying to pay again: when an order may be, and until when, as pure functions."""

from datetime import datetime, timedelta
from uuid import UUID

from msgspec.structs import replace

from actors.orders.decisions import PAYMENT_HOURS, PAYMENT_HOURS_DEFAULT
from actors.orders.moving import may_see, owns
from bus.kit.refusals import Refusal, conflict, forbidden, not_found
from bus.orders import OrderStatus, PayOrder, Viewer
from bus.payments import (
    ATTEMPTS_MAX,
    AttemptStatus,
    payment_in_progress,
    too_many_attempts,
)
from persistence.orders import Order, Stage

GIVING_UP = "GIVING_UP"
OPEN = frozenset({GIVING_UP, "NEW", "PENDING", "UNKNOWN", "VOIDING"})
TAKEN = frozenset({"SUCCEEDED", "PARTIALLY_REFUNDED", "REFUNDED"})
HELD = frozenset({"AUTHORIZED", "CAPTURING"})
PAID = frozenset({AttemptStatus.SUCCEEDED, AttemptStatus.AUTHORIZED})
STANDING = frozenset({OrderStatus.CONFIRMED, OrderStatus.PROCESSING})

ABANDONED_MINUTES = {"BANK_TRANSFER": 60.0}
ABANDONED_MINUTES_DEFAULT = 10.0
WAITING_HOURS_MAX = 168.0


def refuse_pay(order: Order, viewer: Viewer, now: datetime) -> Refusal | None:
    """Why somebody may not try to pay now; None: they may.

    An attempt that the provider holds as pending counts as left by its payer after a
    while. One whose outcome is unknown never does: it may have taken the money.
    """
    if not may_see(order, viewer):
        return not_found("order")
    if not owns(order, viewer):
        return forbidden("Only its buyer pays an order.")
    if order.status is not OrderStatus.PENDING and not lost(order):
        return conflict("not-payable", f"The order is {order.status}.")
    if order.status is OrderStatus.PENDING and order.stage is not Stage.AWAITING:
        return payment_in_progress()
    if order.payment_status in OPEN and not abandoned(order, now):
        return payment_in_progress()
    if order.attempt >= ATTEMPTS_MAX:
        return too_many_attempts()
    return None


def lost(order: Order) -> bool:
    """Whether an order stands, and the money that was held for it is gone."""
    paid = order.payment_status in TAKEN or order.payment_status in HELD
    return order.status in STANDING and not paid


def waits_for(order: Order, attempt: int) -> bool:
    """Whether an order, cancelled or not, waits to hear what became of an attempt.

    No process of its own is asking for it: that is over, or has not begun.
    """
    at_rest = order.stage in (Stage.AWAITING, Stage.SETTLED)
    heard_of = order.payment_status in OPEN - {GIVING_UP, "NEW"}
    return order.attempt == attempt and at_rest and heard_of


def unseen(order: Order, seen: str) -> bool:
    """Whether an order got money, or a hold of it, since its payment was `seen`."""
    if order.payment_status in HELD:
        return seen not in HELD
    return seen != order.payment_status == "SUCCEEDED"


def abandoned(order: Order, now: datetime) -> bool:
    """Whether the payer has left the attempt that is pending."""
    minutes = ABANDONED_MINUTES.get(order.method, ABANDONED_MINUTES_DEFAULT)
    old = now - order.attempted_at >= timedelta(minutes=minutes)
    return order.payment_status == "PENDING" and old


def next_attempt(
    order: Order, request: PayOrder, attempt_id: UUID, now: datetime
) -> Order:
    """The order as its next attempt begins; one that is left is given up before."""
    return replace(
        order,
        attempt=order.attempt + 1,
        attempt_id=attempt_id,
        attempt_at=now,
        method=request.method,
        token=request.token,
        payment_method_id=request.payment_method_id,
        payment_status=GIVING_UP if order.payment_status in OPEN else "NEW",
        version=order.version + 1,
        updated_at=now,
    )


def attempt_deadline(order: Order) -> datetime:
    """Until when the order's last attempt may be paid, by its method.

    Each attempt has its method's time, but no order waits, and holds its stock, for
    longer than `WAITING_HOURS_MAX`.
    """
    hours = PAYMENT_HOURS.get(order.method, PAYMENT_HOURS_DEFAULT)
    last = order.created_at + timedelta(hours=WAITING_HOURS_MAX)
    return min(order.attempted_at + timedelta(hours=hours), last)
