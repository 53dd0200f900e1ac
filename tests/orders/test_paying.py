"""Paying again: one attempt at a time, paid once, and never money without an order."""

import asyncio
from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest
from msgspec.structs import replace

from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal
from bus.kit.values import Money
from bus.orders import CancelOrder, GetTimeline, OrderStatus, PayOrder, Viewer
from bus.payments import AttemptStatus, PaymentSettled, payment_id_of
from tests.kit.local import local_shop
from tests.orders.fakes import FakePayments, order_of
from tests.orders.support import (
    ADMIN,
    come_due,
    eventually,
    forget,
    reasons,
    refused,
    seen,
    selling,
)

S = OrderStatus
TAKEN = AttemptStatus.SUCCEEDED
LEFT = "UPDATE orders SET created_at = created_at - $2::interval WHERE id = $1"


@pytest.fixture(scope="module")
async def s(databases):
    """One shop for all of these tests; each brings its own buyer."""
    async with selling(partial(local_shop, databases), A=500) as shop:
        yield shop


@pytest.fixture(autouse=True)
def at_once():
    """Payments answer at once again."""
    yield
    FakePayments.delay_seconds = 0.0


async def pending(s, buyer, status=AttemptStatus.PENDING):
    """An order of one piece whose first attempt was accepted, and came to this."""
    placed = await s.ask(order_of(buyer, ("A", 1), token="tok_pending"))
    assert placed.status is S.PENDING
    if status is not AttemptStatus.PENDING:
        await settle(s, placed.order_id, status)
    return placed.order_id


async def settle(s, order_id, status) -> None:
    """What becomes of a pending attempt, and that the order has heard of it."""
    FakePayments.settles[order_id] = status
    await come_due(s, f"look:{order_id}")

    async def told() -> bool:
        return (await seen(s, order_id)).payment.status == status

    await eventually(told)
    del FakePayments.settles[order_id]


def taken(order_id) -> dict[int, int]:
    """What each attempt of an order took."""
    mine = FakePayments.taken.items()
    return {number: amount for (order, number), amount in mine if order == order_id}


async def becomes(s, order_id, status) -> None:
    async def there() -> bool:
        return (await seen(s, order_id)).status is status

    await eventually(there)


async def holds(s, order_id) -> list[str]:
    sql = "SELECT state FROM holds WHERE order_id = $1"
    return [row["state"] for row in await s.rows("inventory", sql, order_id)]


def again(order_id, buyer, token="tok_visa", **more) -> PayOrder:
    """A wish to pay once more."""
    return PayOrder(
        order_id=order_id,
        viewer=Viewer(user_id=buyer),
        method=more.pop("method", "CREDIT_CARD"),
        token=token,
    )


async def test_an_order_whose_payment_failed_is_paid_by_a_second_attempt(s) -> None:
    buyer, command_id = new_id(), new_id()
    order_id = await pending(s, buyer, AttemptStatus.DECLINED)
    assert await holds(s, order_id) == ["HELD"]
    wish = again(order_id, buyer)
    paid = await s.ask(wish, id=command_id, body_hash=b"1" * 32)
    assert (paid.status, paid.refusal) == (S.CONFIRMED, None)
    assert taken(order_id) == {2: 1000}
    repeated = await s.ask(wish, id=command_id, body_hash=b"1" * 32)
    assert repeated.remembered() == paid.remembered()
    assert await refused(s.ask(wish)) == "not-payable"
    assert await reasons(s, order_id) == [
        *("placed", "payment-pending", "payment-declined", "payment-begun", "paid")
    ]

    async def committed() -> bool:
        return await holds(s, order_id) == ["COMMITTED"]

    await eventually(committed)
    left = "SELECT name FROM due WHERE name LIKE '%' || $1"
    assert await s.rows("orders", left, str(order_id)) == []


async def test_a_second_attempt_that_is_declined_leaves_the_order_to_a_third(
    s,
) -> None:
    buyer = new_id()
    order_id = await pending(s, buyer, AttemptStatus.DECLINED)
    no = await s.ask(again(order_id, buyer, "tok_declined"))
    assert (no.status, no.refusal.code) == (S.PENDING, "payment-declined")
    assert await holds(s, order_id) == ["HELD"]
    waits = again(order_id, buyer, "tok_pending", method="BANK_TRANSFER")
    assert (await s.ask(waits)).status is S.PENDING
    payment = (await seen(s, order_id)).payment
    assert (payment.method, payment.status) == ("BANK_TRANSFER", "PENDING")
    assert await refused(s.ask(waits)) == "payment-in-progress"
    FakePayments.settles[order_id] = AttemptStatus.SUCCEEDED
    await come_due(s, f"look:{order_id}")
    await becomes(s, order_id, S.CONFIRMED)
    assert taken(order_id) == {3: 1000}


async def test_two_attempts_are_never_open_at_once(s) -> None:
    buyer = new_id()
    order_id = await pending(s, buyer, AttemptStatus.DECLINED)
    FakePayments.delay_seconds = 0.2
    ends = await asyncio.gather(
        *(s.ask(again(order_id, buyer)) for _ in range(8)), return_exceptions=True
    )
    paid = [end for end in ends if not isinstance(end, Exception)]
    assert [one.status for one in paid] == [S.CONFIRMED]
    codes = {end.code for end in ends if isinstance(end, Refusal)}
    assert codes <= {"payment-in-progress", "not-payable"}
    assert taken(order_id) == {2: 1000}


async def test_an_attempt_that_its_payer_left_makes_room_for_another(s) -> None:
    buyer = new_id()
    order_id = await pending(s, buyer)
    assert await refused(s.ask(again(order_id, buyer))) == "payment-in-progress"
    await forget(s, LEFT, order_id, timedelta(minutes=11))
    assert (await s.ask(again(order_id, buyer))).status is S.CONFIRMED
    assert [FakePayments.attempts[order_id, n] for n in (1, 2)] == [
        AttemptStatus.DECLINED,
        AttemptStatus.SUCCEEDED,
    ]


async def test_an_attempt_that_paid_while_it_was_given_up_is_what_pays(s) -> None:
    buyer = new_id()
    order_id = await pending(s, buyer)
    await s.rows("orders", "DELETE FROM due WHERE name = $1", f"look:{order_id}")
    await forget(s, LEFT, order_id, timedelta(minutes=11))
    FakePayments.settles[order_id] = AttemptStatus.SUCCEEDED
    paid = await s.ask(again(order_id, buyer, "tok_declined"))
    assert paid.status is S.CONFIRMED
    assert taken(order_id) == {1: 1000}
    assert (order_id, 2) not in FakePayments.attempts


async def test_only_the_buyer_pays_again(s) -> None:
    buyer = new_id()
    order_id = await pending(s, buyer, AttemptStatus.DECLINED)
    before = await seen(s, order_id)
    wish = again(order_id, new_id())
    assert await refused(s.ask(wish)) == "not-found"
    assert await refused(s.ask(replace(wish, viewer=ADMIN))) == "forbidden"
    assert await seen(s, order_id) == before and taken(order_id) == {}


async def test_an_order_that_nobody_pays_expires_and_frees_its_stock(s) -> None:
    order_id = await pending(s, new_id(), AttemptStatus.DECLINED)
    await come_due(s, f"expire:{order_id}")
    await becomes(s, order_id, S.CANCELLED)

    async def free() -> bool:
        return await holds(s, order_id) == ["RELEASED"]

    await eventually(free)
    page = await s.ask(GetTimeline(order_id=order_id, viewer=ADMIN))
    assert (page.items[-1].reason, page.items[-1].actor) == ("expired", "SYSTEM")


async def heard(s, order_id, attempt=1, **more) -> None:
    """The fact that an attempt which was waited for has come to its end."""
    fact = PaymentSettled(
        payment_id=payment_id_of(order_id),
        order_id=order_id,
        user_id=None,
        attempt=attempt,
        amount=Money(1000, "USD"),
        status=FakePayments.settles.get(order_id, AttemptStatus.PENDING),
    )
    options = {"id": new_id(order_id), "sequence": 3, "domain": "orders", **more}
    await s.ask(fact, join=True, **options)


async def looks(s, order_id) -> list[str]:
    sql = "SELECT name FROM due WHERE name ~ '^(look|heard):' AND name ~ $1"
    return [row["name"] for row in await s.rows("orders", sql, str(order_id))]


PUT_OFF = "UPDATE due SET at = now() + interval '1 hour' WHERE name = $1"


async def test_an_order_hears_at_once_that_its_payment_is_settled(s) -> None:
    paid, declined = await pending(s, new_id()), await pending(s, new_id())
    FakePayments.settles |= {paid: TAKEN, declined: AttemptStatus.DECLINED}
    for order_id in (paid, declined):
        await s.rows("orders", PUT_OFF, f"look:{order_id}")
        twice = new_id(order_id)
        await heard(s, order_id, id=twice)
        await heard(s, order_id, id=twice)
    await becomes(s, paid, S.CONFIRMED)

    async def told() -> bool:
        return (await seen(s, declined)).payment.status == "DECLINED"

    await eventually(told)
    assert (taken(paid), taken(declined)) == ({1: 1000}, {})
    assert await holds(s, declined) == ["HELD"]
    assert (await reasons(s, declined))[1:] == ["payment-pending", "payment-declined"]


async def test_a_cancelled_order_hears_of_money_that_comes_all_the_same(s) -> None:
    buyer = new_id()
    order_id = await pending(s, buyer)
    await s.rows("orders", PUT_OFF, f"look:{order_id}")
    FakePayments.settles[order_id] = AttemptStatus.PENDING  # it cannot be let go yet
    await s.ask(CancelOrder(order_id=order_id, viewer=Viewer(user_id=buyer)))
    FakePayments.settles[order_id] = TAKEN
    await heard(s, order_id)

    async def given_back() -> bool:
        return order_id in refunds()

    await eventually(given_back)
    assert (await seen(s, order_id)).status is S.CANCELLED


async def test_what_an_order_does_not_wait_for_it_does_not_look_at(s) -> None:
    buyer = new_id()
    waits = await pending(s, buyer)
    await s.rows("orders", PUT_OFF, f"look:{waits}")
    await heard(s, waits, attempt=2)  # of an attempt that is not its last
    paid = (await s.ask(order_of(buyer, ("A", 1)))).order_id
    await heard(s, paid)
    await heard(s, new_id())  # paid for over NATS: there is no such order
    await asyncio.sleep(0.2)
    assert await looks(s, waits) == [f"look:{waits}"]
    assert await looks(s, paid) == []
    assert (await seen(s, waits)).status is S.PENDING


async def test_an_attempt_that_has_paid_is_heard_before_its_order_expires(s) -> None:
    paid, lost = await pending(s, new_id()), await pending(s, new_id())
    FakePayments.settles[paid] = AttemptStatus.SUCCEEDED
    for order_id in (paid, lost):
        await s.rows("orders", "DELETE FROM due WHERE name = $1", f"look:{order_id}")
        await come_due(s, f"expire:{order_id}")
    await becomes(s, lost, S.CANCELLED)
    await becomes(s, paid, S.CONFIRMED)
    assert FakePayments.attempts[lost, 1] is AttemptStatus.DECLINED
    assert (taken(paid), taken(lost)) == ({1: 1000}, {})


async def test_an_order_does_not_expire_while_an_attempt_begins(s) -> None:
    buyer = new_id()
    order_id = await pending(s, buyer, AttemptStatus.DECLINED)
    FakePayments.delay_seconds = 0.3
    paying = asyncio.create_task(s.ask(again(order_id, buyer)))
    await asyncio.sleep(0.1)
    await come_due(s, f"expire:{order_id}")
    assert (await paying).status is S.CONFIRMED
    assert (await seen(s, order_id)).status is S.CONFIRMED
    assert taken(order_id) == {2: 1000} and order_id not in refunds()


async def test_each_attempt_has_its_methods_time_and_an_order_has_an_end(s) -> None:
    async def hours_left() -> float:
        sql = """SELECT extract(epoch FROM at - now())::float8 / 3600 AS hours
                 FROM due WHERE name = $1"""
        (row,) = await s.rows("orders", sql, f"expire:{order_id}")
        return round(row["hours"], 1)

    buyer = new_id()
    order_id = await pending(s, buyer, AttemptStatus.DECLINED)
    assert await hours_left() == 0.5
    transfer = again(order_id, buyer, "tok_pending", method="BANK_TRANSFER")
    await s.ask(transfer)
    assert await hours_left() == 72.0
    await settle(s, order_id, AttemptStatus.DECLINED)
    await forget(s, LEFT, order_id, timedelta(days=6))
    await s.ask(transfer)
    assert await hours_left() == 24.0


async def test_money_that_comes_for_a_cancelled_order_goes_back(s) -> None:
    buyer = new_id()
    order_id = await pending(s, buyer, AttemptStatus.DECLINED)
    FakePayments.delay_seconds = 0.3
    paying = asyncio.create_task(s.ask(again(order_id, buyer)))
    await asyncio.sleep(0.1)
    await s.ask(CancelOrder(order_id=order_id, viewer=Viewer(user_id=buyer)))
    assert (await paying).status is S.CANCELLED

    async def given_back() -> bool:
        return order_id in refunds()

    await eventually(given_back)
    assert await holds(s, order_id) == ["RELEASED"]
    assert (await reasons(s, order_id))[-3:] == [
        *("payment-begun", "requested", "paid-late")
    ]


def refunds() -> list[UUID]:
    """The orders whose money went back."""
    return list(FakePayments.refunded.values())
