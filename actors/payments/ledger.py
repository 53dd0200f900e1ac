"""The ledger's lines: one pure function each for a capture, a void and a refund.

Double entry (Pacioli, 1494): what one account receives another one gives, so the lines
of a transaction sum to zero, and so does the whole ledger.
"""

from uuid import UUID

from persistence.payments import Attempt, LedgerLine, Payment, Refund

PROVIDER = "provider_receivable"
SALES = "sales"


def capture_lines(payment: Payment, attempt: Attempt) -> tuple[LedgerLine, ...]:
    """The provider owes us what it took from the customer."""
    return _transfer(payment, attempt.key, attempt.amount_minor, PROVIDER, SALES)


def void_lines(
    payment: Payment,  # noqa: ARG001 - the same form as its siblings
    attempt: Attempt,  # noqa: ARG001
) -> tuple[LedgerLine, ...]:
    """Nothing: held money was never ours, and letting it go moves none."""
    return ()


def refund_lines(payment: Payment, refund: Refund) -> tuple[LedgerLine, ...]:
    """The provider owes us less by what it gave back to the customer."""
    return _transfer(payment, refund.id, refund.amount_minor, SALES, PROVIDER)


def _transfer(
    payment: Payment, transaction_id: UUID, amount_minor: int, debit: str, credit: str
) -> tuple[LedgerLine, ...]:
    sides = ((debit, amount_minor), (credit, -amount_minor))
    return tuple(
        LedgerLine(
            transaction_id=transaction_id,
            line=number,
            payment_id=payment.id,
            account=account,
            amount_minor=signed,
            currency=payment.currency,
        )
        for number, (account, signed) in enumerate(sides, 1)
    )
