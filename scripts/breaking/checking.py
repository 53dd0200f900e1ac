"""What was promised, compared: the journal, all books, the mail server, the faults."""

from collections import Counter
from collections.abc import Callable, Iterator
from uuid import UUID

import msgspec

from actors.auditing.books import Books, Finding, Violation
from actors.auditing.checks.orders import PAID
from actors.auditing.money_rows import BankCharge
from actors.auditing.rows import Order, many, one
from scripts.breaking.faults import Hit
from scripts.breaking.journal import Entry
from scripts.breaking.load import CANCEL, CANCELLED, DECLINED, ORDERING, STOCK
from scripts.breaking.plan import Kind

SETTLED_SECONDS_MAX = 30.0
"""How long after the last fault, and the last answer, anything may go on."""
ACCEPTED = {DECLINED: (402, 202), **dict.fromkeys(ORDERING - {DECLINED}, (201, 202))}
"""What an order may be answered: there are pieces, and cards that are good."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known after a round.

    `mails` counts what the mail server took by `Message-ID`, None where it is not ours.
    `settled_seconds` are from the last fault's end, or the last answer, to rest.
    """

    entries: list[Entry]
    books: Books
    hits: list[Hit] = []
    mails: dict[str, int] | None = None
    audited: list[Violation] = []
    settled_seconds: float = 0.0
    busy: dict[str, int] = {}

    def orders(self) -> dict[str, Order]:
        """The orders by their ids as the journal writes them."""
        return {str(order.id): order for order in self.books.orders}

    def charges(self) -> dict[str, list[BankCharge]]:
        """What the bank took, by order."""
        taken = (charge for charge in self.books.bank_charges if charge.captured)
        return many(taken, lambda charge: charge.order_id)


Promise = Callable[[Evidence], Iterator[Finding]]


def decided(evidence: Evidence) -> Iterator[Finding]:
    """Who asked again and again for an order had an answer in the end."""
    for entry in evidence.entries:
        if entry.kind in ORDERING and not entry.status:
            yield entry.key, f"{entry.kind}: no decision in {entry.tries} tries"


def answered_as_due(evidence: Evidence) -> Iterator[Finding]:
    """Nobody was told that a good card, or pieces that there are, do not suffice."""
    for entry in evidence.entries:
        accepted = ACCEPTED.get(entry.kind, ())
        if accepted and entry.status and entry.status not in accepted:
            yield entry.key, f"{entry.kind}: answered {entry.status} {entry.code}"


def ordered_once(evidence: Evidence) -> Iterator[Finding]:
    """A request made one order at most, however often it was asked again."""
    made = many(evidence.books.orders, lambda order: order.email)
    for entry in evidence.entries:
        if entry.kind in ORDERING and len(made.get(entry.buyer, [])) > 1:
            ids = ", ".join(str(order.id) for order in made[entry.buyer])
            yield entry.key, f"made {ids}"
    named = Counter(e.order_id for e in evidence.entries if _is_answered(e))
    for order_id, count in named.items():
        if count > 1:
            yield order_id, f"is the answer to {count} requests"


def answered_stands(evidence: Evidence) -> Iterator[Finding]:
    """An order answered 201 is there, and stands unless its buyer cancelled it."""
    orders = evidence.orders()
    for entry in evidence.entries:
        if not _is_answered(entry):
            continue
        order = orders.get(entry.order_id)
        if order is None:
            yield entry.order_id, f"answered {entry.status}, and not there"
        elif entry.status == 201 and order.status not in PAID:
            cancelled = entry.kind == CANCELLED and order.status == "CANCELLED"
            if not cancelled:
                yield entry.order_id, f"answered 201, and is {order.status}"


def charged_once(evidence: Evidence) -> Iterator[Finding]:
    """The bank took the price of each order that was answered 201 exactly once."""
    orders, charges = evidence.orders(), evidence.charges()
    for entry in evidence.entries:
        order = orders.get(entry.order_id)
        if entry.status == 201 and entry.kind in ORDERING and order is not None:
            taken = [charge.captured for charge in charges.get(entry.order_id, [])]
            if taken != [order.grand_amount]:
                yield entry.order_id, f"charged {taken} for {order.grand_amount}"


def refused_for_nothing(evidence: Evidence) -> Iterator[Finding]:
    """Who was refused has no order that stands, and the bank keeps nothing."""
    orders, charges = evidence.orders(), evidence.charges()
    for entry in evidence.entries:
        if entry.kind not in ORDERING or not 400 <= entry.status < 500:
            continue
        order = orders.get(entry.order_id)
        if order is not None and order.status != "CANCELLED":
            yield entry.order_id, f"answered {entry.status}, and is {order.status}"
        if kept := _kept(charges.get(entry.order_id, [])):
            yield entry.order_id, f"answered {entry.status}, and {kept} is kept"


def cancelled_back(evidence: Evidence) -> Iterator[Finding]:
    """An order that its buyer cancelled is cancelled, and the money went back."""
    orders, charges = evidence.orders(), evidence.charges()
    for entry in evidence.entries:
        if entry.kind != CANCEL or not entry.good:
            continue
        order = orders.get(entry.of)
        if order is None or order.status != "CANCELLED":
            yield entry.of, f"cancelled, and is {order.status if order else 'gone'}"
        if kept := _kept(charges.get(entry.of, [])):
            yield entry.of, f"cancelled, and {kept} is kept"


def counted_once(evidence: Evidence) -> Iterator[Finding]:
    """A change of stock that was answered happened once; a refused one never."""
    moved = many(evidence.books.movements, lambda movement: movement.reason)
    for entry in evidence.entries:
        if entry.kind != STOCK:
            continue
        steps = [m.on_hand_after - m.on_hand_before for m in moved.get(entry.key, [])]
        once, never = [entry.pieces], list[int]()
        if entry.good:
            right = steps == once
        else:
            right = steps == never or (not entry.status and steps == once)
        if not right:
            yield entry.key, f"{entry.of} by {entry.pieces}: moved {steps}"


def mailed_as_told(evidence: Evidence) -> Iterator[Finding]:
    """Each mail that the shop calls sent has arrived, and no other one."""
    if evidence.mails is None:
        return
    log = one(
        (row for row in evidence.books.messages if row.channel == "email"),
        lambda row: str(row.message_id),
    )
    arrived = {name.partition("@")[0] for name in evidence.mails}
    for message_id in sorted(arrived - log.keys()):
        yield message_id, "arrived, and nobody asked for it"
    for message_id, row in log.items():
        if row.status == "SENT" and message_id not in arrived:
            yield message_id, "called sent, and never arrived"
        elif row.status != "SENT":
            yield message_id, f"is {row.status} after the end"


def mailed_again_for_a_fault(evidence: Evidence) -> Iterator[Finding]:
    """A mail came again only where a fault could catch it on its way, once for each."""
    causes = sum(_stops_mails(hit) for hit in evidence.hits)
    for message_id, count in (evidence.mails or {}).items():
        if count > 1 + causes:
            yield message_id, f"arrived {count} times, with {causes} faults on its way"


def settled_in_time(evidence: Evidence) -> Iterator[Finding]:
    """Every process ends within SETTLED_SECONDS_MAX of the last fault."""
    if evidence.busy:
        parts = ", ".join(f"{name} {count}" for name, count in evidence.busy.items())
        yield "shop", f"not at rest after {evidence.settled_seconds:.1f} s: {parts}"
    elif evidence.settled_seconds > SETTLED_SECONDS_MAX:
        yield "shop", f"at rest only after {evidence.settled_seconds:.1f} s"


def thawed_left(evidence: Evidence) -> Iterator[Finding]:
    """A frozen owner that was taken over goes when it thaws."""
    for hit in evidence.hits:
        if hit.stayed:
            yield hit.fault.target, f"process {hit.pid} was taken over, and stayed"


def came_back(evidence: Evidence) -> Iterator[Finding]:
    """What was killed could be started again."""
    for hit in evidence.hits:
        if hit.failed:
            yield hit.fault.name, hit.failed


PROMISES: tuple[Promise, ...] = (
    decided,
    answered_as_due,
    ordered_once,
    answered_stands,
    charged_once,
    refused_for_nothing,
    cancelled_back,
    counted_once,
    mailed_as_told,
    mailed_again_for_a_fault,
    settled_in_time,
    thawed_left,
    came_back,
)


def broken(evidence: Evidence) -> list[Violation]:
    """Every promise that was not kept: ours, then those that the audit compares."""
    found = [
        Violation(promise.__name__.replace("_", "-"), ids, detail)
        for promise in PROMISES
        for ids, detail in promise(evidence)
    ]
    return found + evidence.audited


def copies(mails: dict[str, int] | None) -> int:
    """How many mails came beside the first of their `Message-ID`."""
    return sum(count - 1 for count in (mails or {}).values())


def answered_orders(entries: list[Entry]) -> dict[UUID, str]:
    """The orders that somebody was told of, for the audit."""
    return {
        UUID(entry.order_id): entry.order_status
        for entry in entries
        if _is_answered(entry)
    }


def _is_answered(entry: Entry) -> bool:
    return entry.kind in ORDERING and entry.status in (201, 202)


def _kept(charges: list[BankCharge]) -> int:
    return sum(charge.captured - charge.refunded for charge in charges)


def _stops_mails(hit: Hit) -> bool:
    """Whether it may come between a mail that was taken and the note that it was."""
    fault = hit.fault
    return not hit.skipped and (
        fault.kind in (Kind.EVERYTHING, Kind.DISK)
        or fault.target.startswith(("messaging/", "smtp"))
        or fault.target in ("postgres", "postgres/messaging")
    )
