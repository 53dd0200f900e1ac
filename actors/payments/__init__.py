"""What payments does: charges, refunds, stored methods, and the books of it all."""

from actors.kit.domain import handles
from actors.payments.charges import Charges
from actors.payments.chores import Chores
from actors.payments.erasing import Erasing
from actors.payments.holds import Holds
from actors.payments.methods import Methods
from actors.payments.reconciling import Reconciling
from actors.payments.refunds import Refunds
from actors.payments.views import payment_view
from bus.kit.refusals import not_found
from bus.kit.values import Page
from bus.payments import GetPayment, ListPayments, PaymentView, payment_id_of
from persistence.kit.database import Db
from persistence.payments import load_payments
from persistence.payments.shown import BOOKS

__all__ = ["Payments"]


class Payments(Charges, Holds, Refunds, Methods, Reconciling, Chores, Erasing):
    """The domain: all its handlers, and what is read."""

    name = "payments"
    shown = BOOKS

    @handles(GetPayment)
    async def get_payment(self, db: Db, query: GetPayment) -> PaymentView:
        """One payment with its attempts and refunds."""
        found = await load_payments(db, [query.payment_id])
        if query.payment_id not in found:
            raise not_found("payment")
        return payment_view(found[query.payment_id])

    @handles(ListPayments)
    async def list_payments(self, db: Db, query: ListPayments) -> Page[PaymentView]:
        """The payment of an order, if it has one."""
        found = await load_payments(db, [payment_id_of(query.order_id)])
        return Page(tuple(payment_view(payment) for payment in found.values()))
