"""Orders: their sums, their states, their money, and that none is missing."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec

from actors.auditing.books import Books, Finding
from actors.auditing.money_rows import Attempt
from actors.auditing.rows import Order, many, one

RANK = {"PENDING": 0, "CONFIRMED": 1, "PROCESSING": 2, "SHIPPED": 3, "DELIVERED": 4}
PAID = frozenset({*RANK, "REFUNDED", "PARTIALLY_REFUNDED"} - {"PENDING"})
TAKEN = frozenset({"SUCCEEDED", "PARTIALLY_REFUNDED", "REFUNDED"})
HELD = frozenset({"AUTHORIZED", "CAPTURING"})
ANSWERED_WITH_REPLY = 0
TIMELINE_DAYS = 399
ACTORS = frozenset({"CUSTOMER", "GUEST", "SELLER", "ADMIN", "SYSTEM"})


def order_totals(books: Books) -> Iterator[Finding]:
    """An order's items are the sum of its lines, its grand total adds up."""
    lines = many(books.lines, lambda line: line.order_id)
    for order in books.orders:
        mine = lines.get(order.id, [])
        items = sum(line.quantity * line.unit_amount for line in mine)
        if not mine or items != order.items_amount:
            yield str(order.id), f"items {order.items_amount}, its lines {items}"
        rest = order.shipping_amount + order.tax_amount - order.discount_amount
        if order.grand_amount != order.items_amount + rest:
            yield str(order.id), f"grand {order.grand_amount} does not add up"


def order_status(books: Books) -> Iterator[Finding]:
    """An order's status is that of its least advanced line, or says what went back."""
    lines = many(books.lines, lambda line: line.order_id)
    for order in books.orders:
        statuses = {line.status for line in lines.get(order.id, [])}
        if order.status not in (*RANK, *PAID, "CANCELLED"):
            yield str(order.id), f"status {order.status}"
        elif order.status == "CANCELLED" and statuses - {"CANCELLED"}:
            yield str(order.id), f"CANCELLED with lines {sorted(statuses)}"
        elif order.status != "CANCELLED" and statuses:
            wanted = min(statuses, key=lambda status: RANK.get(status, -1))
            if wanted in RANK and order.refunded_amount:
                whole = order.refunded_amount >= order.grand_amount
                wanted = "REFUNDED" if whole else "PARTIALLY_REFUNDED"
            if wanted != order.status:
                yield str(order.id), f"{order.status}, but should be {wanted}"


def order_stage(books: Books) -> Iterator[Finding]:
    """Nothing is half done: only an unpaid order waits, all others have settled."""
    for order in books.orders:
        wanted = "AWAITING" if order.status == "PENDING" else "SETTLED"
        if order.stage != wanted:
            yield str(order.id), f"{order.status} is {order.stage}"


def order_number_once(books: Books) -> Iterator[Finding]:
    """Each order has a number of its own."""
    counts = Counter(order.number for order in books.orders)
    for number, count in counts.items():
        if count > 1:
            yield number, f"{count} orders have this number"


def order_paid(books: Books) -> Iterator[Finding]:
    """Of an order that stands, exactly its grand total was captured, or is held.

    Where the hold is gone the order waits for another payment; then, and while money is
    only held, nothing of it may have left.
    """
    payments = one(books.payments, lambda payment: payment.order_id)
    attempts = many(books.attempts, lambda attempt: attempt.payment_id)
    left = {line.order_id for line in books.lines if line.shipped}
    for order in books.orders:
        if order.status not in PAID or order.grand_amount == 0:
            continue
        payment = payments.get(order.id)
        if payment is None or payment.id != order.payment_id:
            yield str(order.id), f"{order.status} without its payment"
        elif payment.currency != order.currency:
            yield str(order.id), f"paid in {payment.currency}, not {order.currency}"
        elif wrong := _unpaid(order, attempts.get(payment.id, []), order.id in left):
            yield str(order.id), wrong


def _unpaid(order: Order, attempts: list[Attempt], has_left: bool) -> str | None:
    """What is wrong with the money of an order that stands; None: nothing."""
    kept = _sum(attempts, "SUCCEEDED")
    held = _sum(attempts, "AUTHORIZED", "CAPTURING")
    if order.payment_status in TAKEN:
        right = kept == order.grand_amount
    elif order.payment_status in HELD:
        right = kept + held == order.grand_amount and not has_left
    else:
        right = kept == 0 and not has_left
    said = f"{order.payment_status}: captured {kept}, holds {held}"
    return None if right else f"{said} of {order.grand_amount}"


def order_cancelled_repaid(books: Books) -> Iterator[Finding]:
    """Nothing of what a cancelled order was paid is kept, and nothing is held."""
    payments = one(books.payments, lambda payment: payment.order_id)
    attempts = many(books.attempts, lambda attempt: attempt.payment_id)
    for order in books.orders:
        payment = payments.get(order.id)
        if order.status == "CANCELLED" and payment is not None:
            kept = payment.captured_minor - payment.refunded_minor
            held = _sum(attempts.get(payment.id, []), "AUTHORIZED")
            if kept or held:
                yield str(order.id), f"CANCELLED, {kept} is kept and {held} held"


def order_refunds(books: Books) -> Iterator[Finding]:
    """An order shows what was refunded of its payment; late money is not its."""
    payments = one(books.payments, lambda payment: payment.order_id)
    late = {(a.payment_id, a.number) for a in books.attempts if a.status == "LATE"}
    back: Counter[UUID] = Counter()
    for refund in books.refunds:
        own = (refund.payment_id, refund.attempt) not in late
        if own and refund.status == "COMPLETED":
            back[refund.payment_id] += refund.amount_minor
    for order in books.orders:
        payment = payments.get(order.id)
        refunded = back[payment.id] if payment else 0
        if order.refunded_amount != refunded:
            detail = f"shows {order.refunded_amount} refunded, its payment {refunded}"
            yield str(order.id), detail


def order_answered(books: Books) -> Iterator[Finding]:
    """Every order that the shop spoke of is there: answered, remembered or told."""
    known = one(books.orders, lambda order: order.id)
    spoken = dict.fromkeys(books.answered, "answered")
    spoken |= dict.fromkeys(_remembered(books), "in a remembered answer")
    for told in books.told("orders"):
        spoken[UUID(told.data["order_id"])] = f"told by {told.kind}"
    for order_id in sorted(spoken.keys() - known.keys()):
        yield str(order_id), f"{spoken[order_id]}, and not there"
    for order_id, status in books.answered.items():
        found = known.get(order_id)
        if found and status in PAID and found.status == "PENDING":
            yield str(order_id), f"answered as {status}, and is PENDING"


def order_timeline(books: Books) -> Iterator[Finding]:
    """Every change of an order is told: who, and to what; the last is what it is."""
    steps = many(books.steps, lambda step: step.order_id)
    for order in books.orders:
        mine = sorted(steps.get(order.id, []), key=lambda step: step.version)
        if not mine and order.updated_at < books.now - timedelta(days=TIMELINE_DAYS):
            continue  # old lines are dropped with their day
        told = [step.version for step in mine]
        if told != list(range(order.version - len(told) + 1, order.version + 1)):
            yield str(order.id), f"version {order.version}, told {told}"
        elif not told:
            yield str(order.id), "nothing is told"
        elif mine[-1].status != order.status:
            yield str(order.id), f"is {order.status}, told {mine[-1].status}"
        elif unknown := {step.actor for step in mine} - ACTORS:
            yield str(order.id), f"moved by {sorted(unknown)}"


def order_attempts(books: Books) -> Iterator[Finding]:
    """No attempt to pay was made that its order did not begin."""
    orders = one(books.orders, lambda order: order.payment_id)
    for attempt in books.attempts:
        order = orders.get(attempt.payment_id)
        if order is not None and attempt.number > order.attempt:
            began = f"{order.attempt} began"
            yield str(order.id), f"attempt {attempt.number} was made, {began}"


def _sum(attempts: list[Attempt], *statuses: str) -> int:
    return sum(one.amount_minor for one in attempts if one.status in statuses)


def _remembered(books: Books) -> Iterator[UUID]:
    """The orders in the answers that orders remembers."""
    kit = books.kits.get("orders")
    for row in kit.handled if kit else ():
        if row.answer_kind == ANSWERED_WITH_REPLY and row.answer:
            answer: Any = msgspec.msgpack.decode(row.answer)
            if isinstance(answer, dict) and "order_id" in answer:
                yield UUID(answer["order_id"])
