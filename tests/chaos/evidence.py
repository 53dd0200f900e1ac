"""A round in which every promise was kept, by hand: what the tests plant faults in."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from actors.auditing.books import Books
from actors.auditing.money_rows import BankCharge
from actors.auditing.rows import Message, Movement, Order
from bus.kit.addressing import new_id
from scripts.breaking.checking import Evidence
from scripts.breaking.faults import Hit
from scripts.breaking.journal import Entry
from scripts.breaking.plan import Fault, Kind

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
BOUGHT, CALLED_OFF, DECLINED = new_id(), new_id(), new_id()
MAIL = new_id()
PRICE = 1999
SKU = "CHAOS-000"


def entry(kind: str, **more: Any) -> Entry:
    """A request that was begun a second before it was answered."""
    at = NOW.timestamp()
    known = {"key": f"{kind} key", "begun_at": at - 1, "ended_at": at, "tries": 1}
    return Entry(kind=kind, **{**known, "buyer": f"{kind}@bench.example"} | more)


def order(id_: UUID, buyer: str, status: str) -> Order:
    """An order of one piece."""
    amounts = dict.fromkeys(
        ("discount_amount", "shipping_amount", "tax_amount", "refunded_amount"), 0
    )
    return Order(
        id=id_,
        number=str(id_)[:11],
        user_id=None,
        status=status,
        stage="SETTLED",
        payment_id=None,
        payment_status="SUCCEEDED",
        currency="USD",
        items_amount=PRICE,
        grand_amount=PRICE,
        email=buyer,
        shipping="{}",
        shipments="[]",
        attempt=1,
        version=2,
        updated_at=NOW,
        **amounts,
    )


def charge(
    order_id: UUID, captured: int, refunded: int = 0, key: str = ""
) -> BankCharge:
    """What the bank took for an order."""
    return BankCharge(
        key=key or f"charge of {order_id}",
        order_id=str(order_id),
        status="succeeded",
        amount=captured,
        currency="USD",
        captured=captured,
        refunded=refunded,
        expires_at=None,
    )


def moved(reason: str, pieces: int) -> Movement:
    """A movement that took pieces in."""
    return Movement(
        sku=SKU,
        number=1,
        warehouse_id=UUID(int=1),
        version=1,
        kind="ADJUSTED",
        reason=reason,
        order_id=None,
        transfer_id=None,
        on_hand_before=5,
        on_hand_after=5 + pieces,
        reserved_before=0,
        reserved_after=0,
    )


def mail(message_id: UUID, status: str = "SENT") -> Message:
    """A line of the delivery log."""
    return Message(
        message_id=message_id,
        channel="email",
        recipient="order@bench.example",
        status=status,
        next_attempt_at=None,
        updated_at=NOW,
    )


def hit(name: str, **more: Any) -> Hit:
    """A fault that was done a second ago: `kill nats`."""
    kind, target = name.split()
    fault = Fault(at_seconds=2, kind=Kind(kind), target=target)
    at = NOW.timestamp()
    return Hit(fault=fault, at=at - 1, ended_at=at, pid=7, **more)


def sound() -> Evidence:
    """Everything as it should be."""
    return Evidence(
        entries=[
            entry("order", status=201, order_id=str(BOUGHT)),
            entry("cancelled", status=201, order_id=str(CALLED_OFF)),
            entry("cancel", status=200, of=str(CALLED_OFF)),
            entry("declined", status=402, order_id=str(DECLINED)),
            entry("stock", status=200, of=SKU, pieces=1),
            entry("stock", key="refused", status=409, of=SKU, pieces=1),
            entry("stock", key="unknown", of=SKU, pieces=1),
            entry("login", status=200),
        ],
        books=Books(
            now=NOW,
            orders=[
                order(BOUGHT, "order@bench.example", "CONFIRMED"),
                order(CALLED_OFF, "cancelled@bench.example", "CANCELLED"),
                order(DECLINED, "declined@bench.example", "CANCELLED"),
            ],
            bank_charges=[charge(BOUGHT, PRICE), charge(CALLED_OFF, PRICE, PRICE)],
            movements=[moved("stock key", 1), moved("unknown", 1)],
            messages=[mail(MAIL)],
        ),
        hits=[hit("kill orders/0")],
        mails={f"{MAIL}@souk.example": 1},
        settled_seconds=4.0,
    )


def changed(**more: Any) -> Evidence:
    """The sound round, but for this."""
    return msgspec.structs.replace(sound(), **more)


def with_entry(kind: str, **more: Any) -> Evidence:
    """The sound round, but for one request."""
    entries = [
        msgspec.structs.replace(each, **more) if each.kind == kind else each
        for each in sound().entries
        if each.key not in ("refused", "unknown")
    ]
    return changed(entries=entries)


def with_books(**more: Any) -> Evidence:
    """The sound round, but for these rows."""
    return changed(books=msgspec.structs.replace(sound().books, **more))
