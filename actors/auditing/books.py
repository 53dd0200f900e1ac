"""Everything that is compared: the rows of all databases, and the stream."""

import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from actors.auditing import money_rows, rows

Finding = tuple[str, str]
"""The ids that a violation is about, and what is wrong with them."""


class Document(msgspec.Struct, frozen=True):
    """The members of a CloudEvents document that are compared."""

    id: UUID
    type: str
    subject: str
    sequence: str
    time: datetime
    data: dict[str, Any]


class Told(msgspec.Struct, frozen=True):
    """An event in a domain's outbox."""

    row: rows.OutboxRow
    document: Document

    @property
    def kind(self) -> str:
        """Its name without the version: `orders.order_placed`."""
        return self.document.type.rsplit(".v", 1)[0]

    @property
    def data(self) -> dict[str, Any]:
        """What it says."""
        return self.document.data

    @property
    def number(self) -> int:
        """Its place among the events of its entity."""
        return int(self.document.sequence)


class Streamed(msgspec.Struct, frozen=True):
    """An event in the stream, by its place there."""

    place: int
    id: str
    subject: str
    payload: str
    document: Document

    @property
    def entity(self) -> tuple[str, str]:
        """The domain and the entity that it is about."""
        return self.subject.split(".")[1], self.document.subject


class Stream(msgspec.Struct, frozen=True):
    """The stream of events, and the dead letters (subject and reason)."""

    first_place: int = 1
    events: list[Streamed] = []
    dead: list[tuple[str, str]] = []


class Kit(msgspec.Struct, frozen=True, kw_only=True):
    """The kit's tables in one domain's database."""

    slots: list[rows.Slot] = []
    told: list[Told] = []
    sequences: list[rows.LastSequence] = []
    handled: list[rows.Handled] = []
    due: list[rows.Due] = []

    def whole_slots(self) -> set[int]:
        """The slots whose events are all kept, from their first on.

        Of a slot that has told nothing for a week nothing is kept.
        """
        first = {item.row.slot: item.row.n for item in reversed(self.told)}
        kept = {
            slot.slot: first.get(slot.slot, slot.published + 1) for slot in self.slots
        }
        return {slot for slot, n in kept.items() if n == 1}

    def is_whole(self) -> bool:
        """Whether no event of this domain has been dropped for its age yet."""
        return len(self.whole_slots()) == len(self.slots)


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """One moment of the whole shop.

    `answered` are the orders that a client was told of (id → status, may be ""),
    `shards` the sizes of the pools, `consumers` the event kinds that each domain
    handles, `waiting` the processes that ran already when the audit began, `erased`
    people who are known to be gone, with an id of that time, besides those of events.
    Titles of notifications may be `hashed`.
    """

    now: datetime
    orders: list[rows.Order] = []
    lines: list[rows.Line] = []
    seller_totals: list[rows.SellerTotals] = []
    replica: list[rows.KnownOffer] = []
    steps: list[rows.Step] = []
    carts: list[rows.Cart] = []
    stock: list[rows.Stock] = []
    holds: list[rows.Hold] = []
    movements: list[rows.Movement] = []
    warehouses: list[rows.Warehouse] = []
    levels: list[rows.Level] = []
    transfers: list[rows.Transfer] = []
    timed_holds: list[rows.TimedHold] = []
    payments: list[money_rows.Payment] = []
    attempts: list[money_rows.Attempt] = []
    refunds: list[money_rows.Refund] = []
    discrepancies: list[money_rows.Discrepancy] = []
    ledger: list[money_rows.LedgerLine] = []
    bank_charges: list[money_rows.BankCharge] = []
    bank_moves: list[money_rows.BankMove] = []
    bank_refunds: list[money_rows.BankRefund] = []
    notifications: list[rows.Notification] = []
    messages: list[rows.Message] = []
    mailbox: list[rows.Mail] = []
    products: list[rows.Product] = []
    variants: list[rows.Variant] = []
    sku_stock: list[rows.SkuStock] = []
    purchases: list[rows.Purchase] = []
    people: list[rows.Person] = []
    addresses: list[rows.AddressBook] = []
    kits: dict[str, Kit] = {}
    stream: Stream = Stream()
    answered: dict[UUID, str] = {}
    shards: dict[str, int] = {}
    consumers: dict[str, frozenset[str]] = {}
    waiting: frozenset[UUID] = frozenset()
    erased: dict[str, UUID] = {}
    hashed: bool = False

    def told(self, domain: str) -> list[Told]:
        """The kept events of a domain; none where it was not read."""
        kit = self.kits.get(domain)
        return kit.told if kit else []

    def title(self, title: str) -> str:
        """A title as the rows of notifications have it."""
        if not self.hashed:
            return title
        return hashlib.md5(title.encode(), usedforsecurity=False).hexdigest()


Check = Callable[[Books], Iterator[Finding]]


class Violation(msgspec.Struct, frozen=True):
    """What a check found."""

    check: str
    ids: str
    detail: str


def name_of(check: Check) -> str:
    """The stable name of a check: its function's, with dashes."""
    return check.__name__.replace("_", "-")
