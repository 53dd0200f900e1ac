"""Products and payments written by hand: what orders ask of them, and no more."""

import asyncio
from typing import ClassVar
from uuid import UUID

from actors.kit.domain import Domain, handles
from actors.kit.process import Run
from bus.kit.refusals import Unavailable, not_found
from bus.kit.values import Address, Done, Money
from bus.messaging import SendEmail
from bus.orders import PlaceOrder, WantedLine
from bus.payments import (
    AttemptStatus,
    Charge,
    ChargeResult,
    GetPayment,
    PaymentView,
    RefundOrder,
    RefundStatus,
    RefundView,
    VoidPayment,
    already_paid,
    payment_id_of,
    payment_in_progress,
)
from bus.products import GetOffers, Offer, Offers
from bus.users import Contact, GetContact
from persistence.kit.database import Db
from persistence.kit.transaction import Tx

ADDRESS = Address(
    name="Ada Lovelace",
    line1="1 Main St",
    city="London",
    postal_code="N1",
    country="GB",
)


class FakeProducts(Domain):
    """Every SKU that does not begin with X is for sale at its price, default 10.00."""

    name = "products"
    prices: ClassVar[dict[str, int]] = {}
    gone: ClassVar[set[str]] = set()
    sellers: ClassVar[dict[str, UUID]] = {}

    @handles(GetOffers)
    async def get_offers(self, db: Db, q: GetOffers) -> Offers:
        return Offers(
            tuple(
                Offer(
                    sku=sku,
                    product_id=UUID(int=7 << 76 | 2 << 62),
                    name=f"Thing {sku}",
                    options={},
                    price=Money(self.prices.get(sku, 1000), "USD"),
                    seller_id=self.sellers.get(sku),
                    image=None,
                    active=sku not in self.gone,
                )
                for sku in q.skus
                if not sku.startswith("X")
            )
        )


class FakePayments(Domain):
    """A bank that counts what it took; the token says how it behaves.

    `settles` says what becomes of an order's pending attempt. Like the real one it
    charges an attempt once, keeps one open at a time, and takes no money twice.
    """

    name = "payments"
    taken: ClassVar[dict[tuple[UUID, int], int]] = {}
    attempts: ClassVar[dict[tuple[UUID, int], AttemptStatus]] = {}
    refunded: ClassVar[dict[UUID, UUID]] = {}
    settles: ClassVar[dict[UUID, AttemptStatus]] = {}
    delay_seconds: ClassVar[float] = 0.0
    payments: ClassVar[dict[UUID, PaymentView]] = {}
    asked: ClassVar[list[UUID]] = []
    away: ClassVar[bool] = False

    @handles(Charge)
    async def charge(self, run: Run, m: Charge) -> ChargeResult:
        known = self.attempts.get((m.order_id, m.attempt))
        if known is None:
            others = {s for (o, _), s in self.attempts.items() if o == m.order_id}
            if AttemptStatus.SUCCEEDED in others:
                raise already_paid()
            if AttemptStatus.PENDING in others:
                raise payment_in_progress()
            known = self.attempts[m.order_id, m.attempt] = AttemptStatus.PENDING
            await asyncio.sleep(self.delay_seconds)
        if known is AttemptStatus.PENDING:
            known = AttemptStatus.SUCCEEDED
            if m.token in ("tok_pending", "tok_timeout"):
                known = self.settles.get(m.order_id, AttemptStatus.PENDING)
            if m.token == "tok_held":
                known = AttemptStatus.AUTHORIZED
            if m.token == "tok_declined":
                known = AttemptStatus.DECLINED
        return self._close(m.order_id, m.attempt, known, m.amount.amount)

    @handles(VoidPayment)
    async def void_payment(self, run: Run, m: VoidPayment) -> ChargeResult:
        last = max(n for o, n in self.attempts if o == m.order_id)
        status = self.attempts[m.order_id, last]
        if status is AttemptStatus.PENDING:
            status = self.settles.get(m.order_id, AttemptStatus.DECLINED)
        if status is AttemptStatus.AUTHORIZED:
            status = AttemptStatus.VOIDED
        return self._close(m.order_id, last, status, 1000)

    def _close(
        self, order_id: UUID, number: int, status: AttemptStatus, amount: int
    ) -> ChargeResult:
        self.attempts[order_id, number] = status
        if status is AttemptStatus.SUCCEEDED:
            self.taken[order_id, number] = amount
        return ChargeResult(
            payment_id=payment_id_of(order_id),
            status=status,
            decline_code="card_declined" if status is AttemptStatus.DECLINED else None,
            attempt=number,
        )

    @handles(RefundOrder)
    async def refund_order(self, run: Run, m: RefundOrder) -> RefundView:
        from datetime import UTC, datetime

        self.refunded[m.refund_id] = m.order_id
        return RefundView(
            id=m.refund_id,
            payment_id=payment_id_of(m.order_id),
            amount=Money(0, "USD"),
            status=RefundStatus.COMPLETED,
            created_at=datetime.now(UTC),
        )

    @handles(GetPayment)
    async def get_payment(self, db: Db, q: GetPayment) -> PaymentView:
        if self.away:
            raise Unavailable("away")
        self.asked.append(q.payment_id)
        return self.payments[q.payment_id]


class FakeUsers(Domain):
    """People who have an e-mail address, and read German."""

    name = "users"
    emails: ClassVar[dict[UUID, str]] = {}

    @handles(GetContact)
    async def get_contact(self, db: Db, q: GetContact) -> Contact:
        if q.user_id not in self.emails:
            raise not_found("user")
        return Contact(
            user_id=q.user_id,
            email=self.emails[q.user_id],
            email_verified=True,
            first_name="Ada",
            last_name="Lovelace",
            phone=None,
            locale="de",
        )


class FakeMessaging(Domain):
    """Mails that were asked for, each once by its id."""

    name = "messaging"
    mails: ClassVar[dict[UUID, SendEmail]] = {}

    @handles(SendEmail)
    async def send_email(self, tx: Tx, m: SendEmail) -> Done:
        self.mails[m.message_id] = m
        return Done()


def people() -> dict[str, type[Domain]]:
    """Users and messaging, as new."""
    FakeUsers.emails = {}
    FakeMessaging.mails = {}
    return {"users": FakeUsers, "messaging": FakeMessaging}


def reset() -> dict[str, type[Domain]]:
    """Both fakes, as new."""
    FakeProducts.prices = {}
    FakeProducts.sellers = {}
    FakePayments.taken = {}
    FakePayments.attempts = {}
    FakePayments.refunded = {}
    FakePayments.payments = {}
    FakePayments.asked = []
    FakePayments.away = False
    FakePayments.settles = {}
    FakePayments.delay_seconds = 0.0
    return {"products": FakeProducts, "payments": FakePayments}


def order_of(
    buyer: UUID, *lines: tuple[str, int], token: str = "tok_visa"
) -> PlaceOrder:
    """A wish for these lines."""
    return PlaceOrder(
        buyer=str(buyer),
        user_id=buyer,
        shipping_address=ADDRESS,
        method="CREDIT_CARD",
        token=token,
        items=tuple(WantedLine(sku=sku, quantity=n) for sku, n in lines),
    )
