"""Effects: that each event was handled, told and mailed, once, some time after it."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import msgspec

from actors.auditing.books import Books, Check, Document, Kit, Told
from actors.auditing.checks import effects, events
from actors.auditing.looks import said
from actors.auditing.reading import Ask, as_books, read
from actors.auditing.rows import Handled, Notification, OutboxRow
from bus.kit.addressing import derived_id
from bus.kit.books import Event, Found

EVENTS_MAX = 20_000
PASSED_SECONDS = 1.0
LATE_SECONDS = 30.0
TELL = ("orders", "payments")

CHECKS: tuple[Check, ...] = (
    events.event_handled,
    effects.notified_once,
    effects.guest_mailed,
    effects.notification_mailed,
    effects.purchase_noted,
)

_DOCUMENT = msgspec.json.Decoder(Document)


class Known(NamedTuple):
    """An event, and the domain that told it."""

    domain: str
    told: Told

    @property
    def order(self) -> str | None:
        """The order that it is about, where people are told of that."""
        return self.told.data.get("order_id") if self.domain in TELL else None


class Events:
    """The last events of all domains, found by id, by order, and by what they make."""

    def __init__(self) -> None:
        self._all: OrderedDict[str, Known] = OrderedDict()
        self._of_order: dict[str, set[str]] = {}
        self._made: dict[str, str] = {}

    def add(self, domain: str, told: Iterable[Event]) -> list[str]:
        """Keep events of a domain; returns the ids of those that are new."""
        new = []
        for each in told:
            key = str(each.id)
            if key in self._all:
                continue
            known = Known(domain, _told(each))
            self._all[key] = known
            self._made[key] = key
            if known.order:
                self._of_order.setdefault(known.order, set()).add(key)
            for made in makes(known):
                self._made[made] = key
            new.append(key)
        while len(self._all) > EVENTS_MAX:
            self._forget(*self._all.popitem(last=False))
        return new

    def get(self, keys: Iterable[str]) -> list[Known]:
        """Those events that are still kept."""
        return [self._all[key] for key in keys if key in self._all]

    def maker(self, made: str) -> str | None:
        """The event that a notification, or a mail, follows from; or it itself."""
        return self._made.get(made)

    def of_order(self, order_id: str) -> list[str]:
        """The kept events that people are told of, of one order."""
        return sorted(self._of_order.get(order_id, ()))

    def _forget(self, key: str, known: Known) -> None:
        for made in (key, *makes(known)):
            self._made.pop(made, None)
        if known.order:
            of_it = self._of_order.get(known.order, set())
            of_it.discard(key)
            if not of_it:
                self._of_order.pop(known.order, None)


def makes(known: Known) -> list[str]:
    """The ids of the notification and the mail that an event may lead to."""
    if known.order is None:
        return []
    event, user_id = known.told.row.id, known.told.data.get("user_id")
    if user_id is None:
        return [str(derived_id(event, "email", UUID(known.order)))]
    told = derived_id(event, "notification", UUID(user_id))
    return [str(told), str(derived_id(told, "email", UUID(user_id)))]


async def look_at_events(
    ask: Ask,
    known: Sequence[Known],
    consumers: Mapping[str, frozenset[str]],
    odd: Sequence[str] = (),
) -> Books:
    """What came of some events; `odd` are notifications besides those of theirs."""
    handled = await _handled(ask, known, consumers)
    made = [key for each in known for key in makes(each)]
    orders = sorted({each.order for each in known if each.order})
    people = {each.told.data.get("user_id") for each in known if each.order}
    found = await read(
        ask,
        {
            "notifications": {
                "notifications": [*made, *odd],
                "erased_lately": ["true"],
            },
            "messaging": {"messages": made},
            "orders": {"orders": orders},
            "users": {"users": sorted(one for one in people if one)},
            "products": {"purchases": orders},
        },
    )
    erased = {str(row.user_id): _id_at(row.at) for row in found.pop("erased", ())}
    told: dict[str, list[Told]] = {}
    for each in known:
        told.setdefault(each.domain, []).append(each.told)
    names = told.keys() | consumers.keys()
    kits = {
        name: Kit(told=told.get(name, []), handled=handled.get(name, []))
        for name in names
    }
    return Books(
        **as_books(found),
        kits=kits,
        consumers=dict(consumers),
        erased=erased,
        hashed=True,
    )


def wrong_with(books: Books, known: Sequence[Known]) -> dict[str, list[Found]]:
    """What the checks say, by the event that it is about."""
    found: dict[str, list[Found]] = {}
    owner: dict[str, str] = {}
    for each in known:
        key = str(each.told.row.id)
        owner |= dict.fromkeys([key, *makes(each)], key)
    for one in said(books, CHECKS):
        words = one[1].split()
        keys = [owner[word] for word in words if word in owner]
        found.setdefault(keys[0] if keys else "", []).append(one)
    return found


class Pace:
    """How far each consuming domain has come, by the times of what it handled.

    An event that is not handled yet is late only where one that was told after it is
    handled: a domain that has much to do is not wrong.
    """

    def __init__(self) -> None:
        self._reached: dict[str, datetime] = {}

    def see(self, books: Books) -> None:
        """Learn from what some events have come to."""
        times = {
            told.row.id: told.document.time
            for kit in books.kits.values()
            for told in kit.told
        }
        for name, kit in books.kits.items():
            ids = (row.command_id for row in kit.handled)
            at = [times[key] for key in ids if key in times]
            if at:
                self._reached[name] = max(*at, self._reached.get(name, at[0]))

    def is_late(self, domain: str, told: Told, now: datetime) -> bool:
        """Whether the domain should have handled it."""
        at, reached = told.document.time, self._reached.get(domain)
        if now - at >= timedelta(seconds=LATE_SECONDS):
            return True
        return reached is not None and reached - at >= timedelta(seconds=PASSED_SECONDS)


def odd_notifications(
    rows: Iterable[Notification], kept: Events
) -> dict[str, list[str]]:
    """Of notifications that follow from no kept event: by order their ids."""
    found: dict[str, list[str]] = {}
    for row in rows:
        order_id = msgspec.json.decode(row.data).get("order_id")
        if order_id and kept.of_order(order_id):
            found.setdefault(order_id, []).append(str(row.id))
    return found


async def _handled(
    ask: Ask, known: Sequence[Known], consumers: Mapping[str, frozenset[str]]
) -> dict[str, list[Handled]]:
    """By consuming domain the handled rows of the events that it wants."""
    keys = {
        name: [str(each.told.row.id) for each in known if each.told.kind in kinds]
        for name, kinds in consumers.items()
    }
    names = [name for name, some in keys.items() if some]
    answers = await asyncio.gather(
        *(read(ask, {name: {"handled": keys[name]}}) for name in names)
    )
    # One that runs still is not over, and what it makes may not be there yet.
    return {
        name: [row for row in answer["handled"] if row.state == events.DONE]
        for name, answer in zip(names, answers, strict=True)
    }


def _told(event: Event) -> Told:
    row = OutboxRow(event.slot, event.n, event.id, event.subject, event.payload)
    return Told(row, _DOCUMENT.decode(event.payload))


def _id_at(at: datetime) -> UUID:
    """An id (UUIDv7) of a time, to be compared with events' ids."""
    return UUID(int=int(at.timestamp() * 1000) << 80 | 0x7 << 76 | 0x2 << 62)
