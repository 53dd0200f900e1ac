"""Attempts that nobody wants any more."""

from uuid import UUID

from bus.kit.messages import Command, by
from bus.payments.charges import ChargeResult


class VoidPayment(Command[ChargeResult], frozen=True, kw_only=True):
    """Give up an order's last attempt: what is held, or still to come, is let go.

    SUCCEEDED: the money was taken before, and is for the caller to refund. After any
    other answer none is kept: what comes of the attempt all the same goes back by
    itself. 404 where there is no attempt.
    """

    key = by("order_id")
    remembered = False
    order_id: UUID
