"""What an order is made of, as pure functions: lines, sums, deadlines, the 402."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypedDict
from uuid import UUID

from msgspec.structs import replace

from bus.kit.addressing import derived_id
from bus.kit.refusals import FieldError, Refusal, RefusalKind, conflict, invalid
from bus.kit.values import Money
from bus.orders import (
    LINES_MAX,
    QUANTITY_MAX,
    OrderLine,
    OrderStatus,
    WantedLine,
)
from bus.products import Offer
from persistence.orders import Order

S = OrderStatus

PAYMENT_HOURS = {"BANK_TRANSFER": 72.0}
PAYMENT_HOURS_DEFAULT = 0.5
LOOK_SECONDS = (1, 1, 2, 3, 5, 8, 10, 10, 10, 10, 30)
"""When a payment is looked at that was not heard of: its event may be late."""


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


def refund_of_cancelling(order_id: UUID) -> UUID:
    """The id of the one refund that an order makes itself, as it is cancelled."""
    return derived_id(order_id, "cancelled")


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
        seen = _least_seen(before, line)
        merged[line.sku] = replace(line, quantity=quantity, seen_price=seen)
    if len(merged) > LINES_MAX:
        raise invalid("too-many-lines", f"At most {LINES_MAX} lines.")
    return tuple(merged.values())


def check_currency(prices: Iterable[tuple[str, Money | None]], currency: str) -> None:
    """Refuse SKUs that are sold for, or said to cost, other money than the shop's."""
    foreign = [sku for sku, one in prices if one and one.currency != currency]
    if foreign:
        errors = (FieldError(sku, "currency-mismatch") for sku in foreign)
        raise invalid("currency-mismatch", f"The shop sells in {currency}.", *errors)


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
    check_currency(((w.sku, offers[w.sku].price) for w in wanted), currency)
    risen = [w for w in wanted if _risen(w, offers[w.sku])]
    if risen and not accept_prices:
        details = (
            FieldError(w.sku, "price-changed", f"now {offers[w.sku].price.amount}")
            for w in risen
        )
        raise conflict("price-changed", "A price rose since it was shown.", *details)
    return tuple(_line(line, offers[line.sku]) for line in wanted)


def _least_seen(before: WantedLine | None, line: WantedLine) -> Money | None:
    """The lowest price that a SKU's lines were shown at: one that rose has risen."""
    seen = [one.seen_price for one in (before, line) if one and one.seen_price]
    return min(seen, key=lambda price: price.amount, default=None)


def _risen(wanted: WantedLine, offer: Offer) -> bool:
    """Whether a line costs more now, or other money, than its buyer was shown."""
    seen, now = wanted.seen_price, offer.price
    if seen is None:
        return False
    return seen.currency != now.currency or seen.amount < now.amount


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


def subtract(order: Order, sku: str, quantity: int) -> int:
    """What of a cart's line is left when the order has taken its pieces."""
    taken = sum(line.quantity for line in order.lines if line.sku == sku)
    return max(0, quantity - taken)
