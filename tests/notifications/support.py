"""Facts of other domains, as the bridge hands them over."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from bus.kit.addressing import new_id
from bus.kit.messages import Event
from bus.kit.values import Address, Money
from bus.orders import (
    OrderConfirmed,
    OrderContact,
    OrderLine,
    OrderPayment,
    OrderStatus,
    OrderView,
    Totals,
)
from bus.users import Contact
from tests.notifications import fakes

TOTAL = Money(1999, "USD")
NOW = datetime(2031, 5, 1, 12, tzinfo=UTC)


def person(first_name: str = "Ann", *, phone: str | None = None) -> UUID:
    """Somebody whom users knows."""
    user_id = new_id()
    fakes.Users.people[user_id] = Contact(
        user_id=user_id,
        email=f"{first_name.lower()}@example.com",
        email_verified=False,
        first_name=first_name,
        last_name="Lee",
        phone=phone,
        locale="en",
    )
    return user_id


def guest_order(email: str) -> UUID:
    """An order that somebody placed without an account."""
    order_id = new_id()
    fakes.Orders.contacts[order_id] = OrderContact(
        order_id=order_id, user_id=None, email=email, name="Gus", number="SK-9"
    )
    return order_id


def order_confirmed(user_id: UUID | None, order_id: UUID | None = None) -> Event:
    """The fact that an order is confirmed."""
    return OrderConfirmed(
        order_id=order_id or new_id(user_id),
        user_id=user_id,
        number="SK-1",
        total=TOTAL,
        skus=("A",),
    )


async def happens(shop: Any, event: Event, event_id: UUID | None = None) -> UUID:
    """Deliver an event to notifications once; returns its id."""
    identity = event_id or new_id(event.key)
    await shop.ask(event, id=identity, sequence=1, domain="notifications", join=True)
    return identity


def order_of(user_id: UUID | None, *sellers: UUID | None) -> OrderView:
    """An order with a line of each of these sellers, that orders knows."""
    order_id = new_id(user_id) if user_id else guest_order("gus@example.com")
    lines = tuple(
        OrderLine(
            sku=f"SKU-{number}",
            product_id=new_id(),
            name="Thing",
            options={},
            quantity=number,
            unit_price=TOTAL,
            total=TOTAL,
            status=OrderStatus.PENDING,
            seller_id=seller,
        )
        for number, seller in enumerate(sellers, 1)
    )
    none = Money(0, "USD")
    order = OrderView(
        id=order_id,
        number="SK-9",
        status=OrderStatus.PENDING,
        user_id=user_id,
        items=lines,
        totals=Totals(items=TOTAL, discount=none, shipping=none, tax=none, grand=TOTAL),
        shipping_address=Address(
            name="Ann Lee", line1="1 Main St", city="X", postal_code="1", country="GB"
        ),
        payment=OrderPayment(id=new_id(order_id), method="PAYPAL", status="PENDING"),
        shipments=(),
        version=1,
        created_at=NOW,
        updated_at=NOW,
    )
    fakes.Orders.orders[order_id] = order
    if order_id not in fakes.Orders.contacts:
        fakes.Orders.contacts[order_id] = OrderContact(
            order_id=order_id, user_id=user_id, email=None, name="Ann", number="SK-9"
        )
    return order
