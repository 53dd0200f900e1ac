"""The route that gives people all that the shop holds of them (GDPR art. 15, 20)."""

import asyncio
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from bus.files import FileView, ListFiles
from bus.kit.messages import Query
from bus.kit.values import LIMIT_MAX, Page
from bus.messaging import ListMessages, MessageView
from bus.notifications import (
    GetPreferences,
    ListNotifications,
    NotificationView,
    PreferencesView,
)
from bus.orders import (
    CartView,
    GetCart,
    GetTimeline,
    ListOrders,
    OrderView,
    TimelineEntry,
    Viewer,
)
from bus.payments import ListMethods, ListPayments, MethodView, PaymentView
from bus.products import ListReviews, ReviewView
from bus.users import (
    AddressView,
    GetUser,
    IdentitySeen,
    ListAddresses,
    ListIdentities,
    ListSessions,
    SessionSeen,
    UserView,
)
from serve_app.kit.routing import SIGNED_IN, Answer, Caller, ask
from serve_app.users.routes import router

ITEMS_MAX = 5_000
"""Items of one section; the newest are there, and `truncated` names the section."""

Item = TypeVar("Item")


class ExportedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order with all that happened to it and to its money."""

    order: OrderView
    timeline: tuple[TimelineEntry, ...]
    payments: tuple[PaymentView, ...]


class PersonExport(msgspec.Struct, frozen=True, kw_only=True):
    """All personal data, by what it is; `truncated` names what was too much for one."""

    exported_at: datetime
    profile: UserView
    addresses: tuple[AddressView, ...]
    sessions: tuple[SessionSeen, ...]
    identities: tuple[IdentitySeen, ...]
    cart: CartView
    orders: tuple[ExportedOrder, ...]
    payment_methods: tuple[MethodView, ...]
    notifications: tuple[NotificationView, ...]
    notification_preferences: PreferencesView
    reviews: tuple[ReviewView, ...]
    files: tuple[FileView, ...]
    messages: tuple[MessageView, ...]
    truncated: tuple[str, ...]


@router.get("/users/export", access=SIGNED_IN, also=(404,))
async def export_person(caller: Caller) -> Answer[PersonExport]:
    """Take home all that the shop holds of you, as one JSON file.

    Profile, addresses, sign-ins, identities at outside issuers, cart, orders with their
    timelines and payments, stored payment methods (brand, last four digits, expiry),
    notifications and preferences, reviews, private files, and the log of mails and SMS.
    A file's contents are at its `url`, signed in, or for some minutes at its `signed`
    links, without.
    Secrets are not in it: passwords, tokens and codes are kept as hashes only. A
    section holds the newest 5000 items; `truncated` names those that have more, which
    their own lists show. 503 when a part of the shop does not answer: the file is
    whole, or there is none.
    """
    person, now = caller.person, datetime.now(UTC)
    profile = await ask(GetUser(user_id=person))
    truncated: list[str] = []
    (
        (addresses, sessions, identities, cart, methods, preferences),
        orders,
        (notifications, reviews, files, messages),
    ) = await asyncio.gather(
        _small(person), _orders(person, truncated), _lists(person, truncated)
    )
    export = PersonExport(
        exported_at=now,
        profile=profile,
        addresses=addresses.items,
        sessions=sessions.items,
        identities=identities.items,
        cart=cart,
        orders=orders,
        payment_methods=methods.items,
        notifications=notifications,
        notification_preferences=preferences,
        reviews=reviews,
        files=files,
        messages=messages,
        truncated=tuple(truncated),
    )
    name = f"souk-export-{now:%Y-%m-%d}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Answer(export, headers=headers)


async def _small(person: UUID) -> Any:
    """What each is one answer, bounded where it is made."""
    return await asyncio.gather(
        ask(ListAddresses(user_id=person)),
        ask(ListSessions(user_id=person)),
        ask(ListIdentities(user_id=person)),
        ask(GetCart(buyer=str(person))),
        ask(ListMethods(user_id=person)),
        ask(GetPreferences(user_id=person)),
    )


async def _lists(person: UUID, truncated: list[str]) -> Any:
    limit = LIMIT_MAX
    return await asyncio.gather(
        _all(
            "notifications",
            ListNotifications(user_id=person, also_mailed=True, limit=limit),
            truncated,
        ),
        _all(
            "reviews", ListReviews(user_id=person, status=None, limit=limit), truncated
        ),
        _all("files", ListFiles(owner_id=person, limit=limit), truncated),
        _all("messages", ListMessages(user_id=person, limit=limit), truncated),
    )


async def _orders(person: UUID, truncated: list[str]) -> tuple[ExportedOrder, ...]:
    """The orders, a page of timelines and payments at a time."""
    viewer = Viewer(user_id=person)
    query = ListOrders(viewer=viewer, limit=LIMIT_MAX)
    found = await _all("orders", query, truncated)
    exported: list[ExportedOrder] = []
    for start in range(0, len(found), LIMIT_MAX):
        page = found[start : start + LIMIT_MAX]
        exported += await asyncio.gather(*(_order(order, viewer) for order in page))
    return tuple(exported)


async def _order(order: OrderView, viewer: Viewer) -> ExportedOrder:
    timeline, payments = await asyncio.gather(
        ask(GetTimeline(order_id=order.id, viewer=viewer)),
        ask(ListPayments(order_id=order.id)),
    )
    return ExportedOrder(order=order, timeline=timeline.items, payments=payments.items)


async def _all(
    name: str, query: Query[Page[Item]], truncated: list[str]
) -> tuple[Item, ...]:
    """All pages of a list, up to `ITEMS_MAX` items."""
    found: list[Item] = []
    while True:
        page = await ask(query)
        found += page.items
        if page.next_cursor is None:
            return tuple(found)
        if len(found) >= ITEMS_MAX:
            truncated.append(name)
            return tuple(found)
        query = msgspec.structs.replace(query, cursor=page.next_cursor)
