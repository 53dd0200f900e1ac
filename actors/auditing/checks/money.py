"""Money: payments, the ledger and the bank's own books, exact to the cent."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from uuid import UUID

from actors.auditing.books import Books, Finding
from actors.auditing.money_rows import BankCharge
from actors.auditing.rows import many, one
from actors.payments.ledger import PROVIDER

SANDBOX = "sandbox"
TAKEN = frozenset({"SUCCEEDED", "LATE"})
ENDED = frozenset({*TAKEN, "DECLINED", "VOIDED", "EXPIRED"})


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
    """A payment's sums are those of its attempts and refunds; one attempt pays."""
    sums: defaultdict[UUID, Counter[str]] = defaultdict(Counter)
    for attempt in books.attempts:
        if attempt.status in TAKEN:
            sums[attempt.payment_id]["captured"] += attempt.amount_minor
            sums[attempt.payment_id]["successes"] += attempt.status == "SUCCEEDED"
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


def refund_of_attempt(books: Books) -> Iterator[Finding]:
    """What goes back is of an attempt that took it; of late money it is all.

    That a payment's refunds are not too much together is said by `payment_bounds`.
    """
    back: Counter[tuple[UUID, int]] = Counter()
    for refund in books.refunds:
        if refund.status != "REJECTED":
            back[refund.payment_id, refund.attempt] += refund.amount_minor
    took = {(a.payment_id, a.number): a for a in books.attempts if a.status in TAKEN}
    several = Counter(payment_id for payment_id, _ in took)
    for (payment_id, number), given in back.items():
        attempt = took.get((payment_id, number))
        if attempt is None:
            yield str(payment_id), f"{given} goes back of attempt {number}: took none"
        elif several[payment_id] > 1 and given > attempt.amount_minor:
            yield str(attempt.key), f"{given} goes back of {attempt.amount_minor}"
    for place, attempt in took.items():
        if attempt.status == "LATE" and back[place] != attempt.amount_minor:
            yield str(attempt.key), f"LATE, and {back[place]} goes back"


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
        wanted = attempt.amount_minor if attempt.status in TAKEN else 0
        if attempt.status in ENDED and taken != wanted:
            yield str(attempt.key), f"{attempt.status} {wanted}, the bank took {taken}"
        elif charge and charge.currency != currencies.get(attempt.payment_id):
            yield str(attempt.key), f"the bank charged in {charge.currency}"


def bank_hold_matches(books: Books) -> Iterator[Finding]:
    """The bank holds money for an attempt that is authorised, and for no ended one."""
    charges = one(books.bank_charges, lambda charge: charge.key)
    for attempt in books.attempts:
        if attempt.provider != SANDBOX:
            continue
        charge = charges.get(str(attempt.key))
        held = charge is not None and charge.status == "authorized"
        if attempt.status == "AUTHORIZED" and not held:
            yield str(attempt.key), "AUTHORIZED, and the bank holds nothing"
        elif attempt.status in ENDED and held and not _ran_out(books, charge):
            yield str(attempt.key), f"{attempt.status}, and the bank holds its money"


def _ran_out(books: Books, charge: BankCharge | None) -> bool:
    """Whether the bank has let a hold go by itself."""
    expires_at = charge.expires_at if charge else None
    return expires_at is not None and expires_at <= books.now


def bank_moved_once(books: Books) -> Iterator[Finding]:
    """Of a capture and a release of the same money one happened; both are of ours."""
    known = {str(attempt.key): attempt for attempt in books.attempts}
    done = [move for move in books.bank_moves if move.status == "succeeded"]
    for charge_key, moves in many(done, lambda move: move.charge_key).items():
        kinds = sorted(move.kind for move in moves)
        if charge_key not in known:
            yield charge_key, f"{kinds}, and unknown to payments"
        elif len(moves) > 1:
            yield charge_key, f"moved {len(moves)} times: {kinds}"


def bank_charge_known(books: Books) -> Iterator[Finding]:
    """Every charge of the bank is an attempt of ours."""
    known = {str(attempt.key) for attempt in books.attempts}
    for charge in books.bank_charges:
        if charge.key not in known:
            yield charge.key, f"charged {charge.captured}, and unknown to payments"


def bank_charged_once(books: Books) -> Iterator[Finding]:
    """Nobody is charged twice for one order; late money is on its way back."""
    late = {str(one.key) for one in books.attempts if one.status == "LATE"}
    taken: dict[str, list[BankCharge]] = many(
        (one for one in books.bank_charges if one.captured and one.key not in late),
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


def reconciled(books: Books) -> Iterator[Finding]:
    """Whatever a reconciliation found was settled since."""
    for found in books.discrepancies:
        if found.resolved_at is None:
            yield f"{found.provider} {found.transaction}", found.kind
