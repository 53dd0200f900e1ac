"""Money: payments, the ledger and the bank's own books, exact to the cent."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from uuid import UUID

from actors.payments.ledger import PROVIDER
from scripts.auditing.books import Books, Finding
from scripts.auditing.rows import BankCharge, many, one

SANDBOX = "sandbox"


def ledger_balanced(books: Books) -> Iterator[Finding]:
    """The lines of each transaction sum to zero, in one currency."""
    for transaction_id, lines in many(books.ledger, lambda x: x.transaction_id).items():
        total = sum(line.amount_minor for line in lines)
        currencies = {line.currency for line in lines}
        if total or len(currencies) > 1 or len(lines) < 2:
            yield str(transaction_id), f"{len(lines)} lines sum to {total}"


def payment_ledger(books: Books) -> Iterator[Finding]:
    """A payment's captured and refunded money are its ledger's, line by line."""
    captured: Counter[UUID] = Counter()
    refunded: Counter[UUID] = Counter()
    for line in books.ledger:
        if line.account == PROVIDER:
            side = captured if line.amount_minor > 0 else refunded
            side[line.payment_id] += abs(line.amount_minor)
    payments = one(books.payments, lambda payment: payment.id)
    for payment_id in sorted(payments.keys() | captured.keys() | refunded.keys()):
        row = payments.get(payment_id)
        said = (row.captured_minor, row.refunded_minor) if row else (0, 0)
        booked = (captured[payment_id], refunded[payment_id])
        if said != booked:
            yield str(payment_id), f"captured, refunded {said}, in the ledger {booked}"


def payment_sums(books: Books) -> Iterator[Finding]:
    """A payment's sums are those of its attempts and refunds; one attempt captures."""
    sums: defaultdict[UUID, Counter[str]] = defaultdict(Counter)
    for attempt in books.attempts:
        if attempt.status == "SUCCEEDED":
            sums[attempt.payment_id]["captured"] += attempt.amount_minor
            sums[attempt.payment_id]["successes"] += 1
    for refund in books.refunds:
        sums[refund.payment_id][refund.status] += refund.amount_minor
    for row in books.payments:
        found = sums[row.id]
        said = (row.captured_minor, row.refunded_minor, row.refunding_minor)
        counted = (found["captured"], found["COMPLETED"], found["PENDING"])
        if said != counted:
            yield str(row.id), f"captured, refunded, refunding {said}, rows {counted}"
        if found["successes"] > 1:
            yield str(row.id), f"{found['successes']} attempts took money"


def payment_bounds(books: Books) -> Iterator[Finding]:
    """Never is more refunded, here or at the bank, than was captured."""
    for row in books.payments:
        back = row.refunded_minor + row.refunding_minor
        if not 0 <= back <= row.captured_minor:
            yield str(row.id), f"{back} goes back of {row.captured_minor}"
    for charge in books.bank_charges:
        if not 0 <= charge.refunded <= charge.captured <= charge.amount:
            yield charge.key, f"the bank gave back {charge.refunded}"


def bank_charge_matches(books: Books) -> Iterator[Finding]:
    """What an attempt came to is what the bank says of its key."""
    charges = one(books.bank_charges, lambda charge: charge.key)
    currencies = {payment.id: payment.currency for payment in books.payments}
    for attempt in books.attempts:
        if attempt.provider != SANDBOX:
            continue
        charge = charges.get(str(attempt.key))
        taken = charge.captured if charge else 0
        wanted = attempt.amount_minor if attempt.status == "SUCCEEDED" else 0
        final = attempt.status in ("SUCCEEDED", "DECLINED")
        if final and taken != wanted:
            yield str(attempt.key), f"{attempt.status} {wanted}, the bank took {taken}"
        elif charge and charge.currency != currencies.get(attempt.payment_id):
            yield str(attempt.key), f"the bank charged in {charge.currency}"


def bank_charge_known(books: Books) -> Iterator[Finding]:
    """Every charge of the bank is an attempt of ours."""
    known = {str(attempt.key) for attempt in books.attempts}
    for charge in books.bank_charges:
        if charge.key not in known:
            yield charge.key, f"charged {charge.captured}, and unknown to payments"


def bank_charged_once(books: Books) -> Iterator[Finding]:
    """Nobody is charged twice for one order."""
    taken: dict[str, list[BankCharge]] = many(
        (charge for charge in books.bank_charges if charge.captured),
        lambda charge: charge.order_id,
    )
    for order_id, charges in taken.items():
        if order_id and len(charges) > 1:
            yield order_id, f"charged {len(charges)} times"


def bank_refund_matches(books: Books) -> Iterator[Finding]:
    """What a refund came to is what the bank says of its key, and its sums hold."""
    refunds = one(books.bank_refunds, lambda refund: refund.key)
    attempts = many(books.attempts, lambda attempt: attempt.payment_id)
    for refund in books.refunds:
        if any(one.provider != SANDBOX for one in attempts.get(refund.payment_id, [])):
            continue
        found = refunds.get(str(refund.id))
        given = found.amount if found and found.status == "succeeded" else 0
        wanted = refund.amount_minor if refund.status == "COMPLETED" else 0
        if refund.status != "PENDING" and given != wanted:
            yield str(refund.id), f"{refund.status} {wanted}, the bank gave {given}"
    back: Counter[str] = Counter()
    for row in books.bank_refunds:
        back[row.charge_key] += row.amount if row.status == "succeeded" else 0
    for charge in books.bank_charges:
        if back[charge.key] != charge.refunded:
            detail = f"the bank's refunds {back[charge.key]}, its charge says"
            yield charge.key, f"{detail} {charge.refunded}"


def bank_refund_known(books: Books) -> Iterator[Finding]:
    """Every refund of the bank is one of ours."""
    known = {str(refund.id) for refund in books.refunds}
    for refund in books.bank_refunds:
        if refund.key not in known:
            yield refund.key, f"gave back {refund.amount}, and unknown to payments"
