"""The ledger beside a provider's list of what it has moved: pure comparisons."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple
from uuid import UUID

from actors.payments.provider import ProviderTransaction, TransactionKind
from bus.kit.values import Money
from bus.payments import AttemptStatus, DiscrepancyKind, DiscrepancyView, RefundStatus
from persistence.payments import Booked, KnownKey

MOVED = "succeeded"
_NOT_TAKEN = frozenset(
    {AttemptStatus.DECLINED, AttemptStatus.VOIDED, AttemptStatus.EXPIRED}
)


class Compared(NamedTuple):
    """What a page of a provider's list comes to.

    `unbooked` are those that the ledger does not know: attempts and refunds may.
    """

    matched: tuple[UUID, ...]
    differs: tuple[DiscrepancyView, ...]
    unbooked: tuple[ProviderTransaction, ...]


def signed(transaction: ProviderTransaction) -> Money:
    """What a transaction brought; negative where it went to the customer."""
    amount = transaction.amount
    back = transaction.kind is TransactionKind.REFUND
    return Money(-amount.amount if back else amount.amount, amount.currency)


def compare(
    transactions: Iterable[ProviderTransaction], booked: Mapping[UUID, Booked]
) -> Compared:
    """Each transaction of the provider with the ledger's line of its key."""
    matched: list[UUID] = []
    differs: list[DiscrepancyView] = []
    unbooked: list[ProviderTransaction] = []
    for one in transactions:
        line = booked.get(one.key) if one.key else None
        if line is None:
            if one.status == MOVED:
                unbooked.append(one)
            continue
        if one.status != MOVED:
            differs.append(difference(DiscrepancyKind.STATUS_DIFFERS, one, line))
        elif signed(one) != line.money:
            differs.append(difference(DiscrepancyKind.AMOUNT_DIFFERS, one, line))
        else:
            matched.append(line.key)
    return Compared(tuple(matched), tuple(differs), tuple(unbooked))


def difference(
    kind: DiscrepancyKind, one: ProviderTransaction, line: Booked
) -> DiscrepancyView:
    """What both sides say of a transaction that both know."""
    return DiscrepancyView(
        kind=kind,
        transaction=str(line.key),
        payment_id=line.payment_id,
        here=line.money,
        there=signed(one),
    )


def unbooked_difference(
    one: ProviderTransaction, known: KnownKey | None
) -> DiscrepancyView | None:
    """What is wrong with money that was moved, and not booked.

    None: its attempt or refund is still being asked about, and will be booked.
    """
    if known is None:
        return DiscrepancyView(
            kind=DiscrepancyKind.MISSING_HERE,
            transaction=str(one.key) if one.key else one.reference,
            there=signed(one),
        )
    if known.status not in (*_NOT_TAKEN, RefundStatus.REJECTED):
        return None
    return DiscrepancyView(
        kind=DiscrepancyKind.STATUS_DIFFERS,
        transaction=str(known.key),
        payment_id=known.payment_id,
        there=signed(one),
    )


def late(one: ProviderTransaction, known: KnownKey | None) -> bool:
    """Whether it is money of an attempt that had ended without any: it must go back."""
    return (
        known is not None
        and one.kind is TransactionKind.CHARGE
        and known.status in _NOT_TAKEN
    )


def missing_there(line: Booked) -> DiscrepancyView:
    """Money of the ledger that the provider never moved."""
    return DiscrepancyView(
        kind=DiscrepancyKind.MISSING_THERE,
        transaction=str(line.key),
        payment_id=line.payment_id,
        here=line.money,
    )


def agreed(
    open_ones: Iterable[DiscrepancyView], booked: Mapping[UUID, Booked]
) -> list[DiscrepancyView]:
    """Which discrepancies the ledger has made up for since."""
    found = []
    for one in open_ones:
        key = key_of(one)
        line = booked.get(key) if key else None
        if line is not None and one.there is not None and line.money == one.there:
            found.append(one)
    return found


def key_of(one: DiscrepancyView) -> UUID | None:
    """Our key of a discrepancy's transaction; None where only the provider has one."""
    try:
        return UUID(one.transaction)
    except ValueError:
        return None
