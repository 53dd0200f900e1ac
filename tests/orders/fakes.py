"""Products and payments written by hand: what orders ask of them, and no more."""

import asyncio
from typing import ClassVar
from uuid import UUID

from actors.kit.domain import Domain, handles
from actors.kit.process import Run
from bus.kit.addressing import derived_id
from bus.kit.values import Address, Money
from bus.orders import PlaceOrder, WantedLine
from bus.payments import (
    AttemptStatus,
    Charge,
    ChargeResult,
    RefundOrder,
    RefundStatus,
    RefundView,
)
from bus.products import GetOffers, Offer, Offers
from persistence.kit.database import Db

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
                    seller_id=None,
                    image=None,
                    active=True,
                )
                for sku in q.skus
                if not sku.startswith("X")
            )
        )


class FakePayments(Domain):
    """A bank that counts what it took; the token says how it behaves."""

    name = "payments"
    taken: ClassVar[dict[tuple[UUID, int], int]] = {}
    refunded: ClassVar[dict[UUID, UUID]] = {}
    settles: ClassVar[dict[UUID, AttemptStatus]] = {}
    delay_seconds: ClassVar[float] = 0.0

    @handles(Charge)
    async def charge(self, run: Run, m: Charge) -> ChargeResult:
        await asyncio.sleep(self.delay_seconds)
        status = AttemptStatus.SUCCEEDED
        if m.token == "tok_declined":
            status = AttemptStatus.DECLINED
        elif m.token in ("tok_pending", "tok_timeout"):
            waits = AttemptStatus.PENDING
            status = self.settles.get(m.order_id, waits)
        if status is AttemptStatus.SUCCEEDED:
            self.taken[m.order_id, m.attempt] = m.amount.amount
        return ChargeResult(
            payment_id=derived_id(m.order_id, "payment"),
            status=status,
            decline_code="card_declined" if status is AttemptStatus.DECLINED else None,
            attempt=m.attempt,
        )

    @handles(RefundOrder)
    async def refund_order(self, run: Run, m: RefundOrder) -> RefundView:
        from datetime import UTC, datetime

        self.refunded[m.refund_id] = m.order_id
        return RefundView(
            id=m.refund_id,
            payment_id=derived_id(m.order_id, "payment"),
            amount=Money(0, "USD"),
            status=RefundStatus.COMPLETED,
            created_at=datetime.now(UTC),
        )


def reset() -> dict[str, type[Domain]]:
    """Both fakes, as new."""
    FakeProducts.prices = {}
    FakePayments.taken = {}
    FakePayments.refunded = {}
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
