"""Orders whose money is held first, and taken as their first parcel leaves."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest

from actors.payments import Payments
from bus.inventory import AdjustStock
from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal
from bus.orders import (
    AdvanceOrder,
    CancelOrder,
    GetOrder,
    GetTimeline,
    OrderStatus,
    PayOrder,
    Viewer,
)
from bus.payments import ListPayments, RefundOrder
from tests.orders.fakes import FakeProducts, order_of, reset
from tests.payments.support import Bank, settings_for, until
from tests.payments.test_charges import books
from tests.payments.test_holds import at_the_bank

S = OrderStatus
DOMAINS = ("orders", "inventory", "products", "payments")
ADMIN = Viewer(role="ADMIN")
SECONDS_MAX = 25.0


@pytest.fixture
def shipping(shop: Any, bank: Bank) -> Any:
    """A shop that captures at shipment, with 100 pieces of A."""

    @asynccontextmanager
    async def open_shop(shards: int = 1) -> AsyncIterator[Any]:
        reset()
        settings = settings_for(bank).changed(capture="shipment")
        fakes = {"products": FakeProducts}
        async with shop(*DOMAINS, shards=shards, settings=settings, fakes=fakes) as s:
            await s.ask(AdjustStock(sku="A", on_hand=100, reason="count"))
            yield s

    return open_shop


async def placed(s: Any, token: str = "tok_visa", pieces: int = 2) -> tuple[UUID, UUID]:
    buyer = new_id()
    answer = await s.ask(
        order_of(buyer, ("A", pieces), token=token), timeout_seconds=SECONDS_MAX
    )
    assert (answer.status, answer.payment_status) == (S.CONFIRMED, "AUTHORIZED")
    return answer.order_id, buyer


def ship(order_id: UUID, **items: int) -> AdvanceOrder:
    return AdvanceOrder(
        order_id=order_id,
        viewer=ADMIN,
        status=S.SHIPPED,
        items=items or None,
        carrier="DHL",
        tracking_number="T-1",
    )


def cancel(order_id: UUID) -> CancelOrder:
    return CancelOrder(order_id=order_id, viewer=ADMIN)


async def end(s: Any, wish: Any) -> str:
    """`done`, or the code that a message is refused with."""
    try:
        await s.ask(wish, timeout_seconds=SECONDS_MAX)
    except Refusal as refusal:
        return refusal.code
    return "done"


async def seen(s: Any, order_id: UUID) -> tuple[str, str]:
    order = await s.ask(GetOrder(order_id=order_id, viewer=ADMIN))
    return order.status.value, order.payment.status


async def reasons(s: Any, order_id: UUID) -> list[str]:
    page = await s.ask(GetTimeline(order_id=order_id, viewer=ADMIN))
    return [entry.reason for entry in page.items]


async def stock(s: Any) -> tuple[int, int]:
    (row,) = await s.rows("inventory", "SELECT on_hand, reserved FROM stock")
    return row["on_hand"], row["reserved"]


async def test_the_first_parcel_takes_the_whole_money(shipping, bank) -> None:
    async with shipping() as s:
        order_id, _ = await placed(s)
        assert await at_the_bank(bank, order_id) == ("authorized", 0, 0)
        assert await end(s, ship(order_id, A=1)) == "done"
        assert await at_the_bank(bank, order_id) == ("succeeded", 2000, 0)
        assert await seen(s, order_id) == ("PROCESSING", "SUCCEEDED")
        assert await end(s, ship(order_id)) == "done"
        assert await seen(s, order_id) == ("SHIPPED", "SUCCEEDED")
        assert await stock(s) == (98, 0)
        captures = [r for r in await bank.ledger(order_id) if r["type"] == "capture"]
        assert len(captures) == 1
        refund = RefundOrder(order_id=order_id, refund_id=new_id(order_id))
        assert (await s.ask(refund)).status == "COMPLETED"
        assert await at_the_bank(bank, order_id) == ("succeeded", 2000, 2000)
        await books(s)


async def test_a_cancelled_order_lets_its_money_go_and_moves_none(
    shipping, bank
) -> None:
    async with shipping() as s:
        order_id, _ = await placed(s)
        assert await end(s, cancel(order_id)) == "done"
        assert await at_the_bank(bank, order_id) == ("voided", 0, 0)
        await s.deliver()
        assert await seen(s, order_id) == ("CANCELLED", "VOIDED")
        assert await stock(s) == (100, 0)
        assert await s.rows("payments", "SELECT id FROM refunds") == []
        assert await s.rows("payments", "SELECT * FROM ledger_lines") == []
        assert await end(s, ship(order_id)) == "invalid-transition"


async def test_nothing_ships_when_the_hold_has_expired_until_it_is_paid_again(
    shipping, bank
) -> None:
    async with shipping() as s:
        order_id, buyer = await placed(s, "tok_expires_50")
        await asyncio.sleep(0.1)
        for _ in range(2):
            assert await end(s, ship(order_id)) == "authorization-expired"
        assert await seen(s, order_id) == ("CONFIRMED", "EXPIRED")
        assert (await reasons(s, order_id))[-1] == "payment-expired"
        assert (await reasons(s, order_id)).count("payment-expired") == 1
        assert await stock(s) == (100, 2)
        again = PayOrder(
            order_id=order_id,
            viewer=Viewer(user_id=buyer),
            method="CREDIT_CARD",
            token="tok_declined",
        )
        await end(s, again)
        assert await seen(s, order_id) == ("CONFIRMED", "DECLINED")
        assert await end(s, ship(order_id)) == "capture-declined"
        again = PayOrder(
            order_id=order_id,
            viewer=Viewer(user_id=buyer),
            method="CREDIT_CARD",
            token="tok_visa",
        )
        assert await end(s, again) == "done"
        assert await seen(s, order_id) == ("CONFIRMED", "AUTHORIZED")
        assert await end(s, again) == "not-payable"
        assert await end(s, ship(order_id)) == "done"
        assert await seen(s, order_id) == ("SHIPPED", "SUCCEEDED")
        (payment,) = (await s.ask(ListPayments(order_id=order_id))).items
        assert [a.status for a in payment.attempts] == [
            "EXPIRED",
            "DECLINED",
            "SUCCEEDED",
        ]
        assert payment.captured.amount == 2000
        await books(s)


async def test_an_order_hears_that_its_money_was_held_for_too_long(
    shipping, bank, monkeypatch
) -> None:
    monkeypatch.setattr(Payments, "authorization_time", dt.timedelta(seconds=0.2))
    async with shipping() as s:
        order_id, _ = await placed(s)

        async def heard() -> bool:
            await s.deliver(0.05)
            return await seen(s, order_id) == ("CONFIRMED", "EXPIRED")

        await until(heard)
        assert await at_the_bank(bank, order_id) == ("voided", 0, 0)
        assert (await reasons(s, order_id))[-1] == "payment-expired"
        assert await end(s, cancel(order_id)) == "done"
        assert await stock(s) == (100, 0)


@pytest.mark.usefixtures("hasty")
async def test_nothing_ships_while_the_capture_is_not_known(shipping, bank) -> None:
    async with shipping() as s:
        order_id, _ = await placed(s)
        await bank.faults(silent=True)
        assert await end(s, ship(order_id)) == "capture-in-progress"
        assert await stock(s) == (100, 2)
        assert await seen(s, order_id) == ("CONFIRMED", "CAPTURING")
        await bank.faults()

        async def shipped() -> bool:
            return await end(s, ship(order_id)) == "done"

        await until(shipped)
        assert await seen(s, order_id) == ("SHIPPED", "SUCCEEDED")
        assert await at_the_bank(bank, order_id) == ("succeeded", 2000, 0)
        await books(s)


@pytest.mark.usefixtures("hasty")
async def test_a_cancel_while_the_capture_is_not_known_keeps_no_money(
    shipping, bank
) -> None:
    async with shipping() as s:
        order_id, _ = await placed(s)
        await bank.faults(silent=True)
        assert await end(s, ship(order_id)) == "capture-in-progress"
        assert await end(s, cancel(order_id)) == "done"
        await bank.faults()

        async def back() -> bool:
            return await at_the_bank(bank, order_id) == ("succeeded", 2000, 2000)

        await until(back)
        assert (await seen(s, order_id))[0] == "CANCELLED"
        assert await stock(s) == (100, 0)

        async def booked() -> bool:
            (payment,) = (await s.ask(ListPayments(order_id=order_id))).items
            return payment.captured == payment.refunded

        await until(booked)
        await books(s)


@pytest.mark.parametrize("shards", [pytest.param(1, marks=pytest.mark.full), 3])
async def test_of_a_cancel_and_a_shipment_exactly_one_happens(
    shipping, bank, shards
) -> None:
    async with shipping(shards) as s:
        orders = [(await placed(s))[0] for _ in range(12)]
        wishes = [
            (ship(o), cancel(o)) if n % 2 else (cancel(o), ship(o))
            for n, o in enumerate(orders)
        ]
        await asyncio.gather(*(end(s, wish) for pair in wishes for wish in pair))
        shipped = 0

        async def at_rest() -> bool:
            sql = "SELECT name FROM due WHERE name ~ '^(attempt|refund):'"
            return not await s.rows("payments", sql)

        await until(at_rest)
        for order_id in orders:
            status, _ = await seen(s, order_id)
            _, captured, refunded = await at_the_bank(bank, order_id)
            kept = {"SHIPPED": 2000, "CANCELLED": 0}[status]
            assert captured - refunded == kept
            shipped += 2 * (status == "SHIPPED")
        assert await stock(s) == (100 - shipped, 0)
        await books(s)


@pytest.mark.full
@pytest.mark.usefixtures("hasty")
async def test_money_taken_without_an_order_goes_back(shop, bank) -> None:
    reset()
    fakes = {"products": FakeProducts}
    async with shop(*DOMAINS, settings=settings_for(bank), fakes=fakes) as s:
        await s.ask(AdjustStock(sku="A", on_hand=5, reason="count"))
        buyer = new_id()
        answer = await s.ask(
            order_of(buyer, ("A", 1), token="tok_timeout"), timeout_seconds=SECONDS_MAX
        )
        assert (answer.status, answer.payment_status) == (S.PENDING, "UNKNOWN")
        assert await end(s, cancel(answer.order_id)) == "done"

        async def back() -> bool:
            found = await at_the_bank(bank, answer.order_id)
            return found == ("succeeded", 1000, 1000)

        await until(back)
        assert (await seen(s, answer.order_id))[0] == "CANCELLED"
        assert await stock(s) == (5, 0)
        await books(s)


async def test_a_refresh_does_not_pay_twice(shop, bank) -> None:
    reset()
    fakes = {"products": FakeProducts}
    async with shop(*DOMAINS, settings=settings_for(bank), fakes=fakes) as s:
        await s.ask(AdjustStock(sku="A", on_hand=5, reason="count"))
        buyer, command_id = new_id(), new_id()
        wish = order_of(buyer, ("A", 1), token="tok_slow_300")
        answers = await asyncio.gather(
            *(s.ask(wish, id=command_id, join=True) for _ in range(5))
        )
        again = await s.ask(wish, id=command_id)
        orders = {answer.order_id for answer in (*answers, again)}
        assert len(orders) == 1
        assert len(await bank.ledger(orders.pop())) == 1
        assert await stock(s) == (5, 1)
        assert len(await s.rows("payments", "SELECT id FROM payments")) == 1
