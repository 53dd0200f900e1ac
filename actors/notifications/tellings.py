"""What a fact tells a person, and by which channels: pure decisions."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bus.inventory import StockLow
from bus.kit.values import Value
from bus.messaging import MessageFailed
from bus.notifications import (
    BODY_MAX,
    DEFAULTS,
    Channel,
    ChannelChoice,
    NotificationType,
    RaiseAlert,
)
from bus.orders import (
    OrderCancelled,
    OrderConfirmed,
    OrderDelivered,
    OrderLine,
    OrderRefunded,
    OrderShipped,
    OrderView,
)
from bus.orders.events import OrderEvent
from bus.payments import (
    DiscrepancyKind,
    LatePaymentReturned,
    PaymentEvent,
    PaymentFailed,
    ProviderEvent,
    ProviderFailing,
    ReconciliationMismatch,
    RefundRejected,
)
from persistence.notifications import Preferences

# The buyer was told by the very answer to the order, or by the failed payment.
_TOLD_AT_CHECKOUT = frozenset({"payment-declined", "out-of-stock", "price-changed"})

_DIFFERENCES = {
    DiscrepancyKind.MISSING_HERE: "is not in the ledger",
    DiscrepancyKind.MISSING_THERE: "was never moved by the provider",
    DiscrepancyKind.AMOUNT_DIFFERS: "has another amount there than in the ledger",
    DiscrepancyKind.STATUS_DIFFERS: "stands otherwise there than in the ledger",
}


class Telling(Value, frozen=True, kw_only=True):
    """What is to be told of a fact, whoever it is told to."""

    type: NotificationType
    template: str
    title: str
    body: str
    data: dict[str, Any]


def chosen(preferences: Preferences, kind: NotificationType) -> ChannelChoice:
    """The channels of a type: the person's choice, else the default."""
    channels = preferences.choices.get(kind, {})
    default = DEFAULTS[kind]
    return ChannelChoice(
        email=channels.get("email", default.email),
        sms=channels.get("sms", default.sms),
        in_app=channels.get("in_app", default.in_app),
    )


def with_choices(
    preferences: Preferences,
    types: Mapping[NotificationType, Mapping[Channel, bool]],
    now: datetime,
) -> Preferences:
    """The preferences after a choice; what it does not name stays."""
    choices = {kind: dict(channels) for kind, channels in preferences.choices.items()}
    for kind, channels in types.items():
        choices.setdefault(kind, {}).update(channels)
    return Preferences(choices=choices, version=preferences.version + 1, updated_at=now)


def of_order(event: OrderEvent) -> Telling | None:
    """What an order's event tells its buyer; None: nothing that is news."""
    facts = {"order_id": str(event.order_id), "number": event.number}
    name = f"Order {event.number}"
    match event:
        case OrderConfirmed():
            kind, template = NotificationType.ORDER_CONFIRMATION, "order_confirmed"
            title, body = f"{name} is confirmed", "Thank you. It ships soon."
            more: dict[str, Any] = {"total": event.total}
        case OrderShipped():
            kind, template = NotificationType.SHIPPING_UPDATE, "order_shipped"
            title = f"{name} is on its way"
            body = f"{event.carrier}, tracking number {event.tracking_number}"
            more = {
                "carrier": event.carrier,
                "tracking_number": event.tracking_number,
                "complete": event.complete,
            }
        case OrderDelivered():
            kind, template = NotificationType.SHIPPING_UPDATE, "order_delivered"
            title, body, more = f"{name} has arrived", "We hope that you like it.", {}
        case OrderCancelled() if event.reason not in _TOLD_AT_CHECKOUT:
            kind, template = NotificationType.ORDER_UPDATE, "order_cancelled"
            title = f"{name} was cancelled"
            body = "What was paid for it goes back the way it came."
            more = {"total": event.total, "reason": event.reason}
        case OrderRefunded():
            kind, template = NotificationType.ORDER_UPDATE, "order_refunded"
            title = f"{name}: money is on its way back"
            body = "Your bank may take a few days to show it."
            more = {"refunded": event.refunded}
        case _:
            return None
    return Telling(
        type=kind, template=template, title=title, body=body, data={**facts, **more}
    )


def receipt_of(order: OrderView) -> dict[str, Any]:
    """What a confirmation mail lists: lines, totals, and where it all goes."""
    to = order.shipping_address
    place = f"{to.postal_code} {to.city}"
    rows = (to.name, to.company, to.line1, to.line2, place, to.region, to.country)
    return {
        "lines": [
            {
                "name": line.name,
                "sku": line.sku,
                "quantity": line.quantity,
                "total": line.total,
            }
            for line in order.items
        ],
        "totals": order.totals,
        "address": [row for row in rows if row],
    }


def of_payment(event: PaymentEvent) -> Telling:
    """What a payment's event tells its payer."""
    data = {"order_id": str(event.order_id), "amount": event.amount}
    if isinstance(event, PaymentFailed):
        return Telling(
            type=NotificationType.PAYMENT_FAILURE,
            template="payment_failed",
            title="Your payment did not go through",
            body="Nothing was charged. You can try again, or pay another way.",
            data={**data, "decline_code": event.decline_code},
        )
    return Telling(
        type=NotificationType.PAYMENT_SUCCESS,
        template="payment_succeeded",
        title="We have received your payment",
        body="Thank you.",
        data=data,
    )


def of_late_payment(event: LatePaymentReturned) -> Telling:
    """What a payer is told whose money came too late for the order."""
    return Telling(
        type=NotificationType.ORDER_UPDATE,
        template="late_payment_returned",
        title="A payment came too late and is on its way back",
        body="It was no longer expected, so all of it goes back the way it came.",
        data={"order_id": str(event.order_id), "amount": event.amount},
    )


def of_low_stock(event: StockLow) -> Telling:
    """What a SKU that runs low tells its seller and the admins."""
    return Telling(
        type=NotificationType.LOW_STOCK,
        template="low_stock",
        title=f"Low stock: {event.sku}",
        body=f"{event.available} pieces are left; the threshold is {event.threshold}.",
        data={
            "sku": event.sku,
            "available": event.available,
            "threshold": event.threshold,
        },
    )


def of_new_order(number: str, order: OrderView) -> Telling:
    """What a buyer is told of an order that has come in."""
    return Telling(
        type=NotificationType.ORDER_UPDATE,
        template="notification",
        title=f"We have received your order {number}",
        body="You hear from us again when it is confirmed.",
        data={
            "order_id": str(order.id),
            "number": number,
            "total": order.totals.grand,
        },
    )


def of_new_sale(number: str, order: OrderView, lines: Sequence[OrderLine]) -> Telling:
    """What a seller is told of an order with lines of theirs: these, not the buyer."""
    pieces = ", ".join(f"{line.quantity} of {line.sku}" for line in lines)
    return Telling(
        type=NotificationType.ORDER_UPDATE,
        template="notification",
        title=f"New order {number}",
        body=f"Yours to send: {pieces}"[:BODY_MAX],
        data={
            "order_id": str(order.id),
            "number": number,
            "items": [{"sku": it.sku, "quantity": it.quantity} for it in lines],
        },
    )


def of_provider(event: ProviderEvent) -> Telling:
    """What a payment provider that fails, or answers again, tells the admins."""
    name, data = event.provider, {"provider": event.provider}
    if isinstance(event, ProviderFailing):
        return _alert(
            f"Payments: {name} does not answer",
            f"{event.failures} asks in a row had no usable answer. Orders that pay with"
            " it wait; what was asked is asked again by itself.",
            {**data, "failures": event.failures},
        )
    title = f"Payments: {name} answers again"
    return _alert(title, "What waited is settled now.", data)


def of_rejected_refund(event: RefundRejected) -> Telling:
    """What a refund that the provider refused tells the admins."""
    return _alert(
        "A refund was refused",
        f"The provider said {event.reason_code}. The money has to go back another way.",
        {
            "order_id": str(event.order_id),
            "payment_id": str(event.payment_id),
            "refund_id": str(event.refund_id),
            "amount": event.amount,
            "reason_code": event.reason_code,
        },
    )


def of_mismatch(event: ReconciliationMismatch) -> Telling:
    """What a difference between ledger and provider tells the admins."""
    what = _DIFFERENCES[event.difference]
    return _alert(
        f"Payments: the books differ from {event.provider}",
        f"Transaction {event.transaction} {what}. The list of reconciliations has it.",
        {
            "provider": event.provider,
            "reconciliation_id": str(event.reconciliation_id),
            "difference": event.difference.value,
            "transaction": event.transaction,
            "payment_id": str(event.payment_id) if event.payment_id else None,
        },
    )


def of_failed_message(event: MessageFailed) -> Telling:
    """What a message that was given up tells the admins; there may be more of them."""
    return _alert(
        f"Messages are not sent: {event.reason}",
        f"A message ({event.channel}, {event.template}) was given up. The delivery log"
        " has all of them, and sends them again when the cause is gone.",
        {
            "message_id": str(event.message_id),
            "channel": event.channel,
            "template": event.template,
            "reason": event.reason,
        },
    )


def of_alert(command: RaiseAlert) -> Telling:
    """What an alert tells the admins."""
    return _alert(command.title, command.body, dict(command.facts))


def _alert(title: str, body: str, data: dict[str, Any]) -> Telling:
    return Telling(
        type=NotificationType.SYSTEM_ALERT,
        template="notification",
        title=title,
        body=body,
        data=data,
    )
