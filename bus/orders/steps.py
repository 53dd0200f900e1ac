"""Steps between an order's states, which only its own processes send.

Each is compare-and-set: one that finds its work done answers as if it had done it.
"""

from typing import Any
from uuid import UUID

from bus.kit.messages import Command, by
from bus.kit.refusals import RefusalData
from bus.kit.values import Done, Money
from bus.orders.carts import CartView
from bus.orders.orders import (
    AdvanceOrder,
    OrderLine,
    PayOrder,
    Placed,
    PlaceOrder,
    Viewer,
)
from bus.orders.selling import Deliveries, Delivery


class Accept(Command[Any], frozen=True, kw_only=True):
    """Write the order and mark the cart that it was made from; replies its state."""

    key = by("order_id")
    remembered = False
    order_id: UUID
    request: PlaceOrder
    lines: tuple[OrderLine, ...]
    from_cart: bool


class ReadOrder(Command[Any], frozen=True, kw_only=True):
    """The state of an order as this shard last committed it."""

    key = by("order_id")
    remembered = False
    order_id: UUID


class ReadCart(Command[CartView], frozen=True, kw_only=True):
    """A buyer's lines as this shard last committed them, without warnings."""

    key = by("buyer")
    remembered = False
    buyer: str


class ReserveAgain(Command[Any], frozen=True, kw_only=True):
    """Count one more attempt to hold the lines; replies the order's state."""

    key = by("order_id")
    remembered = False
    order_id: UUID
    attempt: int


class Confirm(Command[Placed], frozen=True, kw_only=True):
    """PENDING → CONFIRMED: the money is taken, or held, and the pieces are held.

    What an attempt before the last one has taken is not the order's: payments gives
    it back.
    """

    key = by("order_id")
    remembered = False
    order_id: UUID
    payment_id: UUID | None
    attempt: int
    payment_status: str = "SUCCEEDED"


class AwaitPayment(Command[Placed], frozen=True, kw_only=True):
    """How an attempt that has not paid stands: open still (look again), or DECLINED.

    `refusal` is for whoever asked to pay; the order waits for another attempt.
    """

    key = by("order_id")
    remembered = False
    order_id: UUID
    payment_id: UUID | None
    payment_status: str
    attempt: int
    look: int = 1
    refusal: RefusalData | None = None


class BeginPayment(Command[Any], frozen=True, kw_only=True):
    """Begin the next attempt to pay, once by `attempt_id`; replies the order.

    404 `not-found`, 409 `not-payable`, 409 `payment-in-progress`.
    """

    key = by("order_id")
    remembered = False
    order_id: UUID
    request: PayOrder
    attempt_id: UUID


class BeginCharge(Command[Any], frozen=True, kw_only=True):
    """The attempt before is over: this one is charged; replies the order."""

    key = by("order_id")
    remembered = False
    order_id: UUID
    attempt_id: UUID


class BeginCancel(Command[Any], frozen=True, kw_only=True):
    """→ CANCELLED, with stock and money still to be given back.

    With an `attempt` only while that is the last one.
    """

    key = by("order_id")
    remembered = False
    order_id: UUID
    reason: str
    refusal: RefusalData | None = None
    payment_id: UUID | None = None
    payment_status: str | None = None
    viewer: Viewer | None = None
    attempt: int | None = None
    version: int | None = None


class Finish(Command[Placed], frozen=True, kw_only=True):
    """Nothing of this stage is left to do: the order is at rest.

    An order that is in another stage by now (cancelled while its stock was being
    committed) is left to whoever brought it there. So is one that was paid since
    `payment_status` was read: that money is still to go back.
    """

    key = by("order_id")
    remembered = False
    order_id: UUID
    stage: str
    payment_status: str = ""


class BeginAdvance(Command[Any], frozen=True, kw_only=True):
    """Move lines on; `shipment_id` is the shipment that it makes, if it makes one.

    `captured`: the money that was held has been taken for it.
    """

    key = by("order_id")
    remembered = False
    order_id: UUID
    request: AdvanceOrder
    shipment_id: UUID
    captured: bool = False


class RecordRefund(Command[Done], frozen=True, kw_only=True):
    """Write that money went back, and by whom of the shop, if by anybody."""

    key = by("order_id")
    remembered = False
    order_id: UUID
    amount: Money
    actor_id: UUID | None


class NotePayment(Command[Done], frozen=True, kw_only=True):
    """Write what has become of the money of an order that stands, or that it is gone.

    With an `attempt` only while that is the last one.
    """

    key = by("order_id")
    remembered = False
    order_id: UUID
    payment_status: str
    attempt: int | None = None


class SettleOrder(Command[Placed], frozen=True, kw_only=True):
    """Take an order from wherever it stands to rest."""

    key = by("order_id")
    order_id: UUID


class SettlePayment(Command[Placed], frozen=True, kw_only=True):
    """Take one attempt to pay an order from wherever it stands to its end."""

    key = by("order_id")
    order_id: UUID
    attempt_id: UUID


class FinishShipment(Command[Done], frozen=True, kw_only=True):
    """Let the pieces of a shipment leave the warehouses."""

    key = by("order_id")
    order_id: UUID
    shipment_id: UUID


class DeliverChosen(Command[Deliveries], frozen=True, kw_only=True):
    """Deliver the shipments that were chosen, each if it has not arrived yet."""

    key = by("request_id")
    request_id: UUID
    chosen: tuple[Delivery, ...]
    actor_id: UUID


class NoteDeliveries(Command[Done], frozen=True, kw_only=True):
    """Take note that the deliveries of a request begin."""

    key = by("request_id")
    remembered = False
    request_id: UUID


class DeliverShipment(Command[bool], frozen=True, kw_only=True):
    """Mark all that is left of a shipment delivered; whether this did it."""

    key = by("order_id")
    order_id: UUID
    shipment_id: UUID
    actor_id: UUID


class LookAtPayment(Command[Placed], frozen=True, kw_only=True):
    """Ask how a pending payment stands (a due message)."""

    key = by("order_id")
    order_id: UUID
    look: int = 1


class ExpireOrder(Command[Placed], frozen=True, kw_only=True):
    """Cancel an order that was not paid in time (a due message)."""

    key = by("order_id")
    order_id: UUID


class NoteLookup(Command[Done], frozen=True, kw_only=True):
    """Take note that somebody looks for an order, whatever there is to be found."""

    key = by("number")
    remembered = False
    number: str


class SendOrderLink(Command[Done], frozen=True, kw_only=True):
    """Mail a fresh link to an order to its own address."""

    key = by("order_id")
    order_id: UUID


class MakeLink(Command[bool], frozen=True, kw_only=True):
    """Let one more token (by its SHA-256) open an order; False: too many of late."""

    key = by("order_id")
    remembered = False
    order_id: UUID
    token_hash: bytes


class LinkSent(Command[Done], frozen=True, kw_only=True):
    """The mail with a link is queued."""

    key = by("order_id")
    remembered = False
    order_id: UUID


class ForgetLinks(Command[Done], frozen=True, kw_only=True):
    """Let mailed links that are too old open an order no longer (a due message)."""

    key = by("order_id")
    order_id: UUID
