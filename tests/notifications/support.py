"""Facts of other domains, as the bridge hands them over."""

from typing import Any
from uuid import UUID

from bus.kit.addressing import new_id
from bus.kit.messages import Event
from bus.kit.values import Money
from bus.orders import OrderConfirmed, OrderContact
from bus.users import Contact
from tests.notifications import fakes

TOTAL = Money(1999, "USD")


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
