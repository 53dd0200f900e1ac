"""What may happen to an order, as pure functions: state and wish in, state out."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypedDict
from uuid import UUID

from msgspec.structs import replace

from bus.kit.refusals import FieldError, Refusal, RefusalKind, conflict, invalid
from bus.kit.values import Money
from bus.orders import (
    LINES_MAX,
    QUANTITY_MAX,
    AdvanceOrder,
    OrderLine,
    OrderStatus,
    Shipment,
    Viewer,
    WantedLine,
)
from bus.products import Offer
from persistence.orders import Order, Stage

S = OrderStatus

PAYMENT_HOURS = {"BANK_TRANSFER": 72.0}
PAYMENT_HOURS_DEFAULT = 0.5
LOOK_SECONDS = (1, 1, 2, 3, 5, 8, 15, 30)

RANK = {S.PENDING: 0, S.CONFIRMED: 1, S.PROCESSING: 2, S.SHIPPED: 3, S.DELIVERED: 4}
CANCELLABLE = {S.PENDING, S.CONFIRMED, S.PROCESSING}


class Sums(TypedDict):
    """What an order adds up to, in minor units."""

    items_amount: int
    discount_amount: int
    shipping_amount: int
    tax_amount: int
    grand_amount: int


def totals(lines: Iterable[OrderLine]) -> Sums:
    """The one place where an order is added up; amounts in minor units.

    Shipping, tax and discount are 0 by rule: the shop's prices are final.
    """
    items = sum(line.total.amount for line in lines)
    discount = shipping = tax = 0
    return {
        "items_amount": items,
        "discount_amount": discount,
        "shipping_amount": shipping,
        "tax_amount": tax,
        "grand_amount": items - discount + shipping + tax,
    }


def merge_lines(wanted: Sequence[WantedLine]) -> tuple[WantedLine, ...]:
    """The wish with each SKU once, within the limits; raises the refusal."""
    merged: dict[str, WantedLine] = {}
    for line in wanted:
        before = merged.get(line.sku)
        quantity = line.quantity + (before.quantity if before else 0)
        if not 1 <= line.quantity <= QUANTITY_MAX or quantity > QUANTITY_MAX:
            detail = f"1 to {QUANTITY_MAX} pieces"
            raise invalid(
                "quantity-out-of-range", detail, FieldError(line.sku, "out-of-range")
            )
        merged[line.sku] = replace(line, quantity=quantity)
    if len(merged) > LINES_MAX:
        raise invalid("too-many-lines", f"At most {LINES_MAX} lines.")
    return tuple(merged.values())


def price_lines(
    wanted: Sequence[WantedLine],
    offers: dict[str, Offer],
    currency: str,
    *,
    accept_prices: bool,
) -> tuple[OrderLine, ...]:
    """The lines of an order at today's prices; raises the refusal.

    A price that rose since the buyer saw it is `price-changed`, unless accepted.
    """
    missing = [w.sku for w in wanted if w.sku not in offers or not offers[w.sku].active]
    if missing:
        errors = (FieldError(sku, "unknown-sku") for sku in missing)
        raise invalid("unknown-sku", "Not for sale.", *errors)
    foreign = [w.sku for w in wanted if offers[w.sku].price.currency != currency]
    if foreign:
        errors = (FieldError(sku, "currency-mismatch") for sku in foreign)
        raise invalid("currency-mismatch", f"The shop sells in {currency}.", *errors)
    risen = [
        w
        for w in wanted
        if w.seen_price is not None and offers[w.sku].price.amount > w.seen_price.amount
    ]
    if risen and not accept_prices:
        details = (
            FieldError(w.sku, "price-changed", f"now {offers[w.sku].price.amount}")
            for w in risen
        )
        raise conflict("price-changed", "A price rose since it was shown.", *details)
    return tuple(_line(line, offers[line.sku]) for line in wanted)


def _line(wanted: WantedLine, offer: Offer) -> OrderLine:
    return OrderLine(
        sku=wanted.sku,
        product_id=offer.product_id,
        name=offer.name,
        options=offer.options,
        quantity=wanted.quantity,
        unit_price=offer.price,
        total=offer.price * wanted.quantity,
        status=S.PENDING,
        image=offer.image,
        seller_id=offer.seller_id,
    )


def declined(order: Order, code: str | None) -> Refusal:
    """The 402 that a declined payment leaves; the order is cancelled."""
    return Refusal(
        RefusalKind.PAYMENT_REQUIRED,
        "payment-declined",
        "The payment was declined.",
        order_id=str(order.id),
        decline_code=code or "declined",
    )


def payment_deadline(order: Order) -> datetime:
    """Until when an order may stay unpaid, by its method."""
    hours = PAYMENT_HOURS.get(order.method, PAYMENT_HOURS_DEFAULT)
    return order.created_at + timedelta(hours=hours)


def look_delay(look: int) -> timedelta:
    """How long to wait before a pending payment is looked at again."""
    return timedelta(seconds=LOOK_SECONDS[min(look, len(LOOK_SECONDS)) - 1])


def moved(order: Order, status: OrderStatus, now: datetime, **changes: object) -> Order:
    """The order in another status, all its lines with it."""
    lines = tuple(replace(line, status=status) for line in order.lines)
    return replace(
        order,
        status=status,
        lines=lines,
        version=order.version + 1,
        updated_at=now,
        **changes,
    )


# --- fulfilment --------------------------------------------------------------


def may_see(order: Order, viewer: Viewer) -> bool:
    """Its owner, the holder of its token, a seller of one of its lines, an admin."""
    if viewer.role == "ADMIN":
        return True
    if viewer.user_id is not None and viewer.user_id == order.user_id:
        return True
    if viewer.token_hash is not None and viewer.token_hash == order.token_hash:
        return True
    return viewer.role == "SELLER" and bool(own_lines(order, viewer))


def own_lines(order: Order, viewer: Viewer) -> tuple[OrderLine, ...]:
    """The lines that a seller (or an admin: all) may move."""
    if viewer.role == "ADMIN":
        return order.lines
    return tuple(line for line in order.lines if line.seller_id == viewer.user_id)


def may_cancel(order: Order, viewer: Viewer) -> bool:
    """Its owner, the holder of its token, or an admin; not a seller."""
    return may_see(replace(order, lines=()), viewer)


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
    shipments = order.shipments
    if m.status is S.SHIPPED:
        parcel = Shipment(
            id=shipment_id,
            carrier=m.carrier,
            tracking_number=m.tracking_number,
            items=dict(wanted),
            created_at=now,
        )
        shipments = (*shipments, parcel)
    status = min((line.status for line in after), key=lambda one: RANK[one])
    return replace(
        order,
        lines=after,
        shipments=shipments,
        status=status,
        version=order.version + 1,
        updated_at=now,
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


def refund_status(order: Order, refunded: int) -> OrderStatus:
    """Where an order is after so much went back; a cancelled one stays cancelled."""
    if order.status is S.CANCELLED:
        return S.CANCELLED
    return S.REFUNDED if refunded >= order.grand_amount else S.PARTIALLY_REFUNDED


def subtract(order: Order, sku: str, quantity: int) -> int:
    """What of a cart's line is left when the order has taken its pieces."""
    taken = sum(line.quantity for line in order.lines if line.sku == sku)
    return max(0, quantity - taken)


def in_rest(order: Order) -> bool:
    """Whether nothing is left to do but by people or by time."""
    return order.stage in (Stage.SETTLED, Stage.AWAITING)


def zero(currency: str) -> Money:
    """No money."""
    return Money(0, currency)
