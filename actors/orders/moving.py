"""Who may see and move an order, and how it moves: pure functions.

An order's lines say how far its goods are, `refunded_amount` says what of its money
went back; its status is made of both by `status_of`, and by nobody else.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from msgspec.structs import replace

from actors.orders.decisions import totals
from actors.orders.parcels import arrived, packed
from bus.kit.refusals import (
    FieldError,
    Refusal,
    conflict,
    forbidden,
    invalid,
    not_found,
    stale,
)
from bus.orders import (
    AdvanceOrder,
    OrderLine,
    OrderStatus,
    OrderView,
    TimelineEntry,
    Viewer,
)
from bus.orders.steps import BeginCancel
from persistence.orders import Order, Stage

S = OrderStatus

RANK = {S.PENDING: 0, S.CONFIRMED: 1, S.PROCESSING: 2, S.SHIPPED: 3, S.DELIVERED: 4}
CANCELLABLE = {S.PENDING, S.CONFIRMED, S.PROCESSING}
UNPAID = (Stage.RESERVING, Stage.AWAITING)

# --- who ---------------------------------------------------------------------


def owns(order: Order, viewer: Viewer) -> bool:
    """Its buyer, or who holds one of its tokens."""
    if viewer.user_id is not None and viewer.user_id == order.user_id:
        return True
    return viewer.token_hash is not None and viewer.token_hash in order.token_hashes


def may_see(order: Order, viewer: Viewer) -> bool:
    """Its owner, a seller of one of its lines, an administrator."""
    if viewer.role == "ADMIN" or owns(order, viewer):
        return True
    return viewer.role == "SELLER" and bool(own_lines(order, viewer))


def own_lines(order: Order, viewer: Viewer) -> tuple[OrderLine, ...]:
    """The lines that a seller (or an administrator: all) may move."""
    if viewer.role == "ADMIN":
        return order.lines
    return tuple(line for line in order.lines if line.seller_id == viewer.user_id)


def may_cancel(order: Order, viewer: Viewer) -> bool:
    """Its owner or an administrator; not a seller."""
    return viewer.role == "ADMIN" or owns(order, viewer)


def actor_of(order: Order, viewer: Viewer | None) -> str:
    """What somebody is to this order, for its timeline."""
    if viewer is None:
        return "SYSTEM"
    if viewer.user_id is not None and viewer.user_id == order.user_id:
        return "CUSTOMER"
    if viewer.role in ("ADMIN", "SELLER"):
        return viewer.role
    return "GUEST"


def shown(order: Order, viewer: Viewer) -> OrderView:
    """The whole order to its owner and administrators.

    A seller sees own lines, their sum and their parcels, and where to send them; not
    who has bought them, nor how they are paid.
    """
    if may_cancel(order, viewer):
        return order.view()
    lines = own_lines(order, viewer)
    skus = {line.sku for line in lines}
    parcels = (
        replace(one, items={s: n for s, n in one.items.items() if s in skus})
        for one in order.shipments
    )
    shipments = tuple(one for one in parcels if one.items)
    part = replace(order, lines=lines, shipments=shipments, **totals(lines))
    return replace(part.view(), user_id=None, payment=None)


def of_money(entry: TimelineEntry) -> bool:
    """Whether an entry of a timeline is about the payment, not about the goods."""
    return entry.reason.startswith("payment-") or entry.reason == "refunded"


def timeline_for(
    order: Order, viewer: Viewer, entries: Iterable[TimelineEntry]
) -> tuple[TimelineEntry, ...]:
    """What of an order's timeline somebody may see: sellers nothing of its money."""
    if may_cancel(order, viewer):
        return tuple(entries)
    return tuple(
        seen_by_seller(entry, viewer) for entry in entries if not of_money(entry)
    )


def seen_by_seller(entry: TimelineEntry, viewer: Viewer) -> TimelineEntry:
    """An entry without the person behind it, unless that is the seller."""
    own = entry.actor_id == viewer.user_id
    return entry if own else replace(entry, actor_id=None)


# --- how ---------------------------------------------------------------------


def least(order: Order) -> OrderStatus:
    """How far the goods are: as far as the least advanced line."""
    if any(line.status is S.CANCELLED for line in order.lines):
        return S.CANCELLED
    return min((line.status for line in order.lines), key=lambda one: RANK[one])


def status_of(order: Order) -> OrderStatus:
    """What is shown: that of the goods, until money of an order that stands went back.

    A refund hides how far the goods are and stops nothing: the lines go on, each with
    a status of its own.
    """
    goods = least(order)
    if goods is S.CANCELLED or not order.refunded_amount:
        return goods
    whole = order.refunded_amount >= order.grand_amount
    return S.REFUNDED if whole else S.PARTIALLY_REFUNDED


def refunded(order: Order, amount: int, now: datetime) -> Order:
    """The order after so much more of its money went back."""
    sum_now = order.refunded_amount + amount
    after = replace(order, refunded_amount=sum_now)
    whole = sum_now >= order.grand_amount
    return replace(
        after,
        status=status_of(after),
        payment_status="REFUNDED" if whole else "PARTIALLY_REFUNDED",
        version=order.version + 1,
        updated_at=now,
    )


def refuse_cancel(order: Order, m: BeginCancel) -> Refusal | None:
    """Why the order cannot be cancelled by whoever asks; None: it can."""
    if m.viewer is not None and not may_cancel(order, m.viewer):
        return not_found("order")
    if m.version not in (None, order.version):
        return stale()
    if any(line.shipped for line in order.lines):
        return conflict("not-cancellable", "A part of it has shipped.")
    if m.viewer is not None and least(order) not in CANCELLABLE:
        return conflict("not-cancellable", f"The order is {order.status}.")
    if m.viewer is not None and order.stage is Stage.RESERVING:
        return conflict("order-in-progress", "It is being placed right now.")
    return None


def refuse_advance(order: Order | None, m: AdvanceOrder) -> Refusal | None:
    """Why somebody may not move lines of this order; None: they may."""
    viewer = m.viewer
    if order is None or not may_see(order, viewer):
        return not_found("order")
    if viewer.role not in ("SELLER", "ADMIN") or not own_lines(order, viewer):
        return forbidden("Only sellers of its lines and administrators move orders.")
    return None if m.version in (None, order.version) else stale()


def advance(order: Order, m: AdvanceOrder, shipment_id: UUID, now: datetime) -> Order:
    """The order after lines were moved on; raises the refusal."""
    lines = own_lines(order, m.viewer)
    if m.status not in (S.PROCESSING, S.SHIPPED, S.DELIVERED):
        raise invalid("invalid-status", "PROCESSING, SHIPPED or DELIVERED.")
    if m.status is S.SHIPPED and not (m.carrier and m.tracking_number):
        raise invalid(
            "tracking-required", "A shipment has carrier and tracking_number."
        )
    wanted = m.items if m.items is not None else _all_that_can(lines, m.status)
    by_sku = {line.sku: line for line in lines}
    if not wanted or not set(wanted) <= set(by_sku):
        raise conflict("invalid-transition", "There is no such line to move.")
    changed = {sku: _move(by_sku[sku], m.status, n) for sku, n in wanted.items()}
    after = tuple(changed.get(line.sku, line) for line in order.lines)
    moved = replace(order, lines=after)
    if m.status is S.SHIPPED:
        sent = packed(order, m, wanted, shipment_id, now)
        moved = replace(moved, shipments=(*order.shipments, *sent))
    elif m.status is S.DELIVERED:
        moved = replace(moved, shipments=arrived(moved, now))
    return replace(
        moved, status=status_of(moved), version=order.version + 1, updated_at=now
    )


def _all_that_can(lines: Iterable[OrderLine], status: OrderStatus) -> dict[str, int]:
    """By default all of the caller's pieces that this step is next for."""
    if status is S.PROCESSING:
        return {line.sku: line.quantity for line in lines if line.status is S.CONFIRMED}
    if status is S.SHIPPED:
        left = {
            line.sku: line.quantity - line.shipped for line in lines if _packed(line)
        }
    else:
        left = {line.sku: line.shipped - line.delivered for line in lines}
    return {sku: pieces for sku, pieces in left.items() if pieces > 0}


def _packed(line: OrderLine) -> bool:
    return line.status in (S.CONFIRMED, S.PROCESSING)


def _move(line: OrderLine, status: OrderStatus, pieces: int) -> OrderLine:
    """One line after `pieces` of it took the step."""
    error = FieldError(line.sku, "invalid-transition", f"is {line.status}")
    wrong = conflict("invalid-transition", "This step is out of order.", error)
    if status is S.PROCESSING:
        if line.status is not S.CONFIRMED or pieces != line.quantity:
            raise wrong
        return replace(line, status=S.PROCESSING)
    if status is S.SHIPPED:
        if not _packed(line) or not 1 <= pieces <= line.quantity - line.shipped:
            raise wrong
        shipped = line.shipped + pieces
        complete = shipped == line.quantity
        return replace(
            line, shipped=shipped, status=S.SHIPPED if complete else S.PROCESSING
        )
    if not 1 <= pieces <= line.shipped - line.delivered:
        raise wrong
    delivered = line.delivered + pieces
    complete = delivered == line.quantity
    return replace(
        line, delivered=delivered, status=S.DELIVERED if complete else line.status
    )
