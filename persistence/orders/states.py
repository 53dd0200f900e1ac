"""Orders as a shard holds them in memory."""

import enum
from datetime import datetime
from uuid import UUID

from bus.kit.refusals import RefusalData
from bus.kit.values import Address, Money, Value
from bus.orders import (
    OrderLine,
    OrderPayment,
    OrderStatus,
    OrderView,
    Placed,
    Shipment,
    Totals,
)


class Link(Value, frozen=True, kw_only=True):
    """A mailed link to an order: its token's SHA-256, and when it was made."""

    token_hash: bytes
    at: datetime


class Stage(enum.StrEnum):
    """What an order's process has to do next."""

    RESERVING = "RESERVING"
    AWAITING = "AWAITING"
    COMMITTING = "COMMITTING"
    COMPENSATING = "COMPENSATING"
    SETTLED = "SETTLED"


class Order(Value, frozen=True, kw_only=True):
    """All of an order; amounts are minor units of `currency`.

    `attempt` counts the attempts to pay it; `attempt_id` is the command that began the
    last one, where that was not placing the order.
    """

    id: UUID
    number: str
    buyer: str
    user_id: UUID | None
    status: OrderStatus
    stage: Stage
    method: str
    token: str | None
    payment_method_id: UUID | None
    currency: str
    lines: tuple[OrderLine, ...]
    items_amount: int
    discount_amount: int
    shipping_amount: int
    tax_amount: int
    grand_amount: int
    shipping: Address
    email: str | None
    token_hash: bytes | None
    from_cart: bool
    created_at: datetime
    updated_at: datetime
    payment_id: UUID | None = None
    payment_status: str = "NEW"
    attempt: int = 1
    attempt_id: UUID | None = None
    attempt_at: datetime | None = None
    reserve_attempt: int = 1
    refunded_amount: int = 0
    refusal: RefusalData | None = None
    cancel_reason: str | None = None
    shipments: tuple[Shipment, ...] = ()
    links: tuple[Link, ...] = ()
    version: int = 1

    @property
    def total(self) -> Money:
        """What the order costs."""
        return Money(self.grand_amount, self.currency)

    @property
    def skus(self) -> tuple[str, ...]:
        """The SKUs of its lines, sorted."""
        return tuple(sorted(line.sku for line in self.lines))

    @property
    def token_hashes(self) -> tuple[bytes | None, ...]:
        """The hashes of all tokens that open it: the first one, and those mailed."""
        return (self.token_hash, *(link.token_hash for link in self.links))

    @property
    def attempted_at(self) -> datetime:
        """When the last attempt to pay it began."""
        return self.attempt_at or self.created_at

    @property
    def shown_payment(self) -> str:
        """How its payment stands; that the attempt before is given up is our own."""
        return "NEW" if self.payment_status == "GIVING_UP" else self.payment_status

    def placed(self) -> Placed:
        """How placing it stands, with the order as its buyer sees it."""
        return Placed(
            order_id=self.id,
            status=self.status,
            version=self.version,
            payment_id=self.payment_id,
            payment_status=self.shown_payment,
            refusal=self.refusal,
            order=self.view(),
        )

    def view(self) -> OrderView:
        """What its owner sees."""

        def money(amount: int) -> Money:
            return Money(amount, self.currency)

        return OrderView(
            id=self.id,
            number=self.number,
            status=self.status,
            user_id=self.user_id,
            items=self.lines,
            totals=Totals(
                items=money(self.items_amount),
                discount=money(self.discount_amount),
                shipping=money(self.shipping_amount),
                tax=money(self.tax_amount),
                grand=money(self.grand_amount),
            ),
            shipping_address=self.shipping,
            payment=OrderPayment(
                id=self.payment_id, method=self.method, status=self.shown_payment
            ),
            shipments=self.shipments,
            version=self.version,
            created_at=self.created_at,
            updated_at=self.updated_at,
        )


def in_progress(order: Order, line: OrderLine) -> bool:
    """Whether a line is still to arrive: not delivered, cancelled or all paid back."""
    if order.status in (OrderStatus.CANCELLED, OrderStatus.REFUNDED):
        return False
    return line.status not in (OrderStatus.DELIVERED, OrderStatus.CANCELLED)


class Step(Value, frozen=True, kw_only=True):
    """A line of an order's timeline that is to be written; `actor` is what one is."""

    order: Order
    reason: str
    actor: str = "SYSTEM"
    actor_id: UUID | None = None
