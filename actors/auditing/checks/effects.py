"""Effects of events: each comes once, to whom it should."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec

from actors.auditing.books import Books, Finding, Told
from actors.auditing.rows import one
from actors.notifications.tellings import Telling, of_order, of_payment
from bus.kit.addressing import derived_id
from bus.kit.messages import MESSAGE_TYPES
from bus.orders.events import OrderEvent
from bus.payments import PaymentEvent, PaymentFailed

QUEUED_SECONDS_MAX = 60.0
_MESSAGE_ID = re.compile(rb"^Message-ID: *(<[^>\r\n]+>)", re.IGNORECASE | re.MULTILINE)

Telling_ = tuple[str, str, str, str]
"""What makes a telling one and the same: person, type, title and order."""


def notified_once(books: Books) -> Iterator[Finding]:
    """A fact is told to its person once, unless the person was erased since."""
    gone = set(_erased(books))
    wanted: Counter[Telling_] = Counter()
    ids: dict[Telling_, UUID] = {}
    for told, event, telling in tellings(books):
        if event.user_id is not None and str(event.user_id) not in gone:
            order_id = str(event.order_id)
            title = books.title(telling.title)
            same = (str(event.user_id), str(telling.type), title, order_id)
            wanted[same] += 1
            ids[same] = told.row.id
    found: Counter[Telling_] = Counter()
    for row in books.notifications:
        data = msgspec.json.decode(row.data)
        order_id = str(data.get("order_id", ""))
        found[str(row.user_id), row.type, row.title, order_id] += 1
    for same, count in wanted.items():
        if found[same] != count:
            detail = f"{same[1]} told {found[same]} times for {count} events"
            yield f"{ids[same]} to {same[0]}", detail


def guest_mailed(books: Books) -> Iterator[Finding]:
    """A guest gets the mail of every event that tells of the order.

    Somebody who was erased since may have been that guest: their mails went along.
    """
    erased = max(_erased(books).values(), default=UUID(int=0))
    mailed = {message.message_id for message in books.messages}
    addressed = {order.id for order in books.orders if order.email}
    for told, event, _ in tellings(books):
        if event.user_id is not None or event.order_id not in addressed:
            continue
        if told.row.id < erased:
            continue
        if derived_id(told.row.id, "email", event.order_id) not in mailed:
            yield str(told.row.id), f"{told.kind} of {event.order_id}: no mail"


def notification_mailed(books: Books) -> Iterator[Finding]:
    """A notification that goes by mail has its mail."""
    if not books.notifications:
        return
    mailed = {message.message_id for message in books.messages}
    people = {person.id for person in books.people}
    first = min((row.updated_at for row in books.messages), default=books.now)
    for row in books.notifications:
        wanted = row.email and row.user_id in people and row.type != "PROMOTION"
        if not wanted or row.created_at < first - timedelta(days=1):
            continue
        if derived_id(row.id, "email", row.user_id) not in mailed:
            yield f"{row.id} to {row.user_id}", f"{row.type}: no mail"


def message_once(books: Books) -> Iterator[Finding]:
    """A message is queued once by its id."""
    counts = Counter(message.message_id for message in books.messages)
    for message_id, count in counts.items():
        if count > 1:
            yield str(message_id), f"queued {count} times"


def mail_once(books: Books) -> Iterator[Finding]:
    """No mail was delivered twice, by its Message-ID."""
    counts: Counter[bytes] = Counter()
    for mail in books.mailbox:
        if mail.channel == "email" and (found := _MESSAGE_ID.search(mail.content)):
            counts[found[1]] += 1
    for message_id, count in counts.items():
        if count > 1:
            yield message_id.decode(errors="replace"), f"delivered {count} times"


def message_sent_told(books: Books) -> Iterator[Finding]:
    """A message that was sent is told of as sent, once."""
    kit = books.kits.get("messaging")
    if kit is None or not kit.is_whole():
        return
    counts = Counter(
        told.data["message_id"]
        for told in kit.told
        if told.kind == "messaging.message_sent"
    )
    for message in books.messages:
        if message.status == "SENT" and counts[str(message.message_id)] != 1:
            count = counts[str(message.message_id)]
            yield str(message.message_id), f"told as sent {count} times"


def message_not_stuck(books: Books) -> Iterator[Finding]:
    """No mail waits longer than it must."""
    old = books.now - timedelta(seconds=QUEUED_SECONDS_MAX)
    for message in books.messages:
        since = message.next_attempt_at or message.updated_at
        if message.status == "QUEUED" and since < old:
            yield str(message.message_id), f"{message.channel} queued since {since}"


def stock_shown(books: Books) -> Iterator[Finding]:
    """Products show as in stock what inventory has."""
    available: Counter[str] = Counter()
    for row in books.stock:
        available[row.sku] += row.on_hand - row.reserved
    shown = {row.sku: row.in_stock for row in books.sku_stock}
    if "products" not in books.kits:
        return
    for sku in sorted(available.keys() | shown.keys()):
        if shown.get(sku, False) != (available[sku] > 0):
            detail = f"shown as {shown.get(sku)}, available {available[sku]}"
            yield sku, detail


def purchase_noted(books: Books) -> Iterator[Finding]:
    """What was delivered to a person is known to products."""
    noted = {(row.order_id, row.product_id) for row in books.purchases}
    if "products" not in books.kits:
        return
    for told in books.told("orders"):
        if told.kind == "orders.order_delivered" and told.data["user_id"]:
            for product_id in told.data["product_ids"]:
                if (UUID(told.data["order_id"]), UUID(product_id)) not in noted:
                    yield str(told.row.id), f"delivered {product_id}, not noted"


def _erased(books: Books) -> dict[str, UUID]:
    """Who was erased, with the event (whose id has its time) that says so."""
    return books.erased | {
        told.data["user_id"]: told.row.id
        for told in books.told("users")
        if told.kind == "users.user_erased"
    }


def tellings(books: Books) -> Iterator[tuple[Told, Any, Telling]]:
    """The events that are told to somebody, with what is told."""
    if "notifications" not in books.kits:
        return
    handled = one(books.kits["notifications"].handled, lambda row: row.command_id)
    kinds = books.consumers.get("notifications", frozenset())
    for told in (*books.told("orders"), *books.told("payments")):
        if told.kind not in kinds or told.row.id not in handled:
            continue  # `event_handled` says so
        event = msgspec.convert(told.data, MESSAGE_TYPES[told.kind], strict=False)
        telling: Telling | None = None
        if isinstance(event, OrderEvent):
            telling = of_order(event)
        elif isinstance(event, PaymentEvent):
            for_all = event.user_id is not None or isinstance(event, PaymentFailed)
            telling = of_payment(event) if for_all else None
        if telling is not None:
            yield told, event, telling
