"""Every check says what is wrong, and nothing else; without a fault none speaks."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from actors.auditing.books import name_of
from actors.auditing.checks import CHECKS, audit
from tests.audit.plants import PLANTS, Plant
from tests.audit.shop import Sold, take_out, until_published


@asynccontextmanager
async def rolled_back(sold: Sold) -> AsyncIterator[dict[str, Any]]:
    """Connections to all databases; whatever is written through them is undone."""
    async with AsyncExitStack() as stack:
        connections = await sold.connections()
        for connection in connections.values():
            transaction = connection.transaction()
            await transaction.start()
            stack.push_async_callback(transaction.rollback)
        yield connections


async def found(sold: Sold, plant: Plant | None = None, **more: Any) -> dict[str, Any]:
    """What the audit finds, by check, after something was planted."""
    async with AsyncExitStack() as stack:
        connections = await stack.enter_async_context(rolled_back(sold))
        for name, sql in plant.sql if plant else ():
            await connections[name].execute(sql % sold.ids)
        for event in plant.events if plant else ():
            place = await until_published(sold, event.subject, event.document())
            stack.push_async_callback(take_out, sold, event.stream, place)
        violations = audit(await sold.books(connections, **more))
    return {one.check: f"{one.ids}: {one.detail}" for one in violations}


async def test_a_shop_that_sold_is_without_a_violation(sold: Sold) -> None:
    assert await found(sold) == {}


async def test_the_shop_that_is_audited_has_every_kind_of_row(sold: Sold) -> None:
    async with rolled_back(sold) as connections:
        books = await sold.books(connections)
    statuses = {order.status for order in books.orders}
    assert statuses == {
        "CONFIRMED",
        "PARTIALLY_REFUNDED",
        "CANCELLED",
        "PENDING",
        "SHIPPED",
        "DELIVERED",
    }
    assert {attempt.status for attempt in books.attempts} == {
        "AUTHORIZED",
        "DECLINED",
        "PENDING",
        "SUCCEEDED",
        "VOIDED",
    }
    assert {move.kind for move in books.bank_moves} == {"capture", "void"}
    assert books.bank_refunds
    assert books.purchases
    assert books.mailbox
    assert books.notifications
    assert books.stream.events
    assert books.kits["orders"].due


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
async def test_exactly_the_check_of_a_fault_speaks(sold: Sold, plant: Plant) -> None:
    assert list(await found(sold, plant)) == [plant.check]


def test_every_check_has_a_planted_fault_and_every_fault_its_check() -> None:
    assert {plant.check for plant in PLANTS} == {name_of(check) for check in CHECKS}


async def test_an_order_that_was_answered_and_is_not_there_is_named(
    sold: Sold,
) -> None:
    lost = sold.ids["person"]
    answered = {lost: "CONFIRMED", sold.ids["guest"]: "CONFIRMED"}
    assert await found(sold, answered=answered) == {
        "order-answered": f"{lost}: answered, and not there"
    }


async def test_an_order_that_was_answered_as_paid_must_not_wait(sold: Sold) -> None:
    answered = {sold.ids["pending"]: "CONFIRMED"}
    assert list(await found(sold, answered=answered)) == ["order-answered"]
