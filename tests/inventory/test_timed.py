"""Holds without an order: they end by the clock, and orders' holds never do."""

import asyncio
from typing import Any

import msgspec
import pytest

from bus.inventory import (
    NATS_CALLER,
    SERVICES,
    EndHold,
    HeldLine,
    HoldStock,
    ListMovements,
    ReleaseHold,
    ReserveStock,
    TakeHold,
    Taken,
)
from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal
from bus.kit.services import answer
from tests.inventory.kills import walk
from tests.inventory.support import (
    MAIN,
    check_books,
    counted,
    opened,
    pieces,
    refusal,
    skus_in_shards,
    told,
)

KEY = "0123456789abcdef-"


async def served(s: Any, subject: str, **body: Any) -> Any:
    """What a NATS service answers, as JSON."""
    data = msgspec.json.encode(body)
    reply = await answer(subject, SERVICES[subject], s.ask, data)
    return msgspec.json.decode(msgspec.json.encode(reply))


async def refused(s: Any, subject: str, **body: Any) -> str:
    """The code of what a NATS service refuses."""
    with pytest.raises((Refusal, msgspec.ValidationError)) as no:
        await served(s, subject, **body)
    return no.value.code if isinstance(no.value, Refusal) else "invalid-request"


async def until_held(s: Any, sku: str, on_hand: int, reserved: int = 0) -> None:
    """Wait until so much of a SKU is promised; the clock is the database's."""
    async with asyncio.timeout(10):
        while await pieces(s, sku) != {MAIN: (on_hand, reserved)}:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def holding(*lines: tuple[str, int], seconds: int = 900) -> HoldStock:
    held = tuple(HeldLine(sku=sku, quantity=n) for sku, n in lines)
    return HoldStock(hold_id=new_id(), lines=held, expires_seconds=seconds)


async def test_a_hold_ends_by_the_clock_and_gives_its_pieces_back_once(shop) -> None:
    async with shop("inventory", shards=2) as s:
        a, b = skus_in_shards(2)
        for sku in (a, b):
            await counted(s, sku, 5)
        order_id = new_id()
        await s.ask(ReserveStock(order_id=order_id, sku=a, quantity=1))
        items = [{"sku": a, "quantity": 2}, {"sku": b, "quantity": 5}]
        held = await served(
            s,
            "inventory.reserve-stock",
            items=items,
            expires_seconds=1,
            order_id=str(order_id),
        )
        assert held["items"] == items
        assert held["order_id"] == str(order_id) != held["hold_id"]
        assert await pieces(s, a) == {MAIN: (5, 3)}
        await until_held(s, b, 5)
        await until_held(s, a, 5, 1)  # the order's stays
        moves = (await s.ask(ListMovements(sku=b))).items
        assert [(m.kind, m.reason) for m in moves] == [
            ("RELEASE", "expired"),
            ("RESERVE", "hold"),
            ("ADJUST", "count"),
        ]
        assert {str(m.order_id) for m in moves[:2]} == {held["hold_id"]}
        assert (await told(s, b))[-2:] == ["stock_released", "stock_replenished"]
        assert await s.rows("inventory", "SELECT FROM due") == []
        await check_books(s)


async def test_what_fell_due_while_its_shard_was_dead_goes_back_at_its_start(
    shop,
) -> None:
    async with shop("inventory") as s:
        await counted(s, "A", 5)
        await s.ask(holding(("A", 2), seconds=1))
        await s.kill("inventory")
        await asyncio.sleep(1.1)
        await s.restart("inventory")
        await until_held(s, "A", 5)
        await check_books(s)


async def test_a_key_that_comes_again_holds_nothing_more(shop) -> None:
    async with shop("inventory", shards=2) as s:
        a, b = skus_in_shards(2)
        for sku in (a, b):
            await counted(s, sku, 9)
        body = {
            "items": [{"sku": a, "quantity": 2}, {"sku": b, "quantity": 3}],
            "idempotency_key": KEY + "hold",
        }
        ends = await asyncio.gather(
            *(served(s, "inventory.reserve-stock", **body) for _ in range(5))
        )
        ends.append(await served(s, "inventory.reserve-stock", **body))
        assert all(end == ends[0] for end in ends)
        assert (await pieces(s, a), await pieces(s, b)) == (
            {MAIN: (9, 2)},
            {MAIN: (9, 3)},
        )
        other = await served(s, "inventory.reserve-stock", sku=a, quantity=1)
        assert other["hold_id"] != ends[0]["hold_id"]
        await check_books(s)


async def test_a_hold_has_all_its_lines_or_none(shop) -> None:
    async with shop("inventory", shards=2) as s:
        a, b = skus_in_shards(2)
        await counted(s, a, 9)
        await counted(s, b, 1)
        with pytest.raises(Refusal) as no:
            await s.ask(holding((a, 2), (b, 2)))
        assert no.value.code == "out-of-stock"
        assert [(e.field, e.detail) for e in no.value.data.errors] == [
            (b, "1 available")
        ]
        assert await pieces(s, a) == {MAIN: (9, 0)}
        assert await s.rows("inventory", "SELECT FROM due") == []
        await check_books(s)


async def test_a_hold_is_given_back_before_its_time_and_twice_is_once(shop) -> None:
    async with shop("inventory", shards=2) as s:
        a, b = skus_in_shards(2)
        for sku in (a, b):
            await counted(s, sku, 4)
        order_id = new_id()
        await s.ask(ReserveStock(order_id=order_id, sku=a, quantity=1))
        held = await s.ask(holding((a, 2), (b, 2)))
        back = {"hold_id": str(held.hold_id), "release": True}
        for _ in range(2):
            said = await served(s, "inventory.reserve-stock", **back)
            assert said == {"hold_id": str(held.hold_id), "released": True}
        assert await pieces(s, a) == {MAIN: (4, 1)}
        assert await pieces(s, b) == {MAIN: (4, 0)}
        assert await s.rows("inventory", "SELECT FROM due") == []
        kinds = [m.kind for m in (await s.ask(ListMovements(sku=b))).items]
        assert kinds == ["RELEASE", "RESERVE", "ADJUST"]
        for other in (order_id, new_id()):  # an order's hold is none of these
            assert await refusal(s, ReleaseHold(hold_id=other)) == "not-found"
        late = EndHold(hold_id=held.hold_id, sku=b, reason="expired")
        await s.ask(late)
        assert await pieces(s, b) == {MAIN: (4, 0)}
        await check_books(s)


async def test_what_was_sold_elsewhere_leaves_once_and_its_clock_stops(shop) -> None:
    async with shop("inventory", shards=2) as s:
        a, b = skus_in_shards(2)
        for sku in (a, b):
            await counted(s, sku, 4)
        held = await s.ask(holding((a, 2), (b, 3), seconds=1))
        body = {"hold_id": str(held.hold_id), "idempotency_key": KEY + "take"}
        first = await served(s, "inventory.update-stock", **body)
        assert first["items"] == [
            {"sku": a, "quantity": 2},
            {"sku": b, "quantity": 3},
        ]
        assert await served(s, "inventory.update-stock", **body) == first
        again = {"hold_id": str(held.hold_id)}
        assert await served(s, "inventory.update-stock", **again) == first
        back = {**again, "release": True}
        assert await refused(s, "inventory.reserve-stock", **back) == "hold-taken"
        async with asyncio.timeout(10):  # its time comes, and does nothing
            while await s.rows("inventory", "SELECT FROM due"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert await pieces(s, a) == {MAIN: (2, 0)}
        assert await pieces(s, b) == {MAIN: (1, 0)}
        await check_books(s)


async def test_a_hold_of_which_a_part_has_ended_is_not_taken(shop) -> None:
    async with shop("inventory", shards=2) as s:
        a, b = skus_in_shards(2)
        for sku in (a, b):
            await counted(s, sku, 4)
        held = await s.ask(holding((a, 2), (b, 3)))
        await s.ask(EndHold(hold_id=held.hold_id, sku=a, reason="expired"))
        take = TakeHold(hold_id=held.hold_id)
        assert await refusal(s, take) == "hold-ended"
        for sku in (a, b):
            assert await pieces(s, sku) == {MAIN: (4, 0)}
        order_id = new_id()
        await s.ask(ReserveStock(order_id=order_id, sku=a, quantity=1))
        assert await refusal(s, TakeHold(hold_id=order_id)) == "not-found"
        await check_books(s)


@pytest.mark.parametrize("shards", [1, 3])
async def test_a_hold_taken_and_given_back_at_once_is_the_one_or_the_other(
    shop, shards
) -> None:
    async with shop("inventory", shards=shards) as s:
        skus, left = skus_in_shards(3), 40
        for sku in skus:
            await counted(s, sku, left)
        for n in range(6):
            held = await s.ask(holding(*((sku, 1) for sku in skus)))
            take = [TakeHold(hold_id=held.hold_id)] * 2
            back = [ReleaseHold(hold_id=held.hold_id)] * 2
            ends = await asyncio.gather(
                *(s.ask(one) for one in (take + back if n % 2 else back + take)),
                return_exceptions=True,
            )
            codes = {end.code for end in ends if isinstance(end, Refusal)}
            assert codes and codes <= {"hold-taken", "hold-ended"}
            left -= any(isinstance(end, Taken) for end in ends)
            for sku in skus:
                assert await pieces(s, sku) == {MAIN: (left, 0)}
        await check_books(s)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "sku-or-items"),
        ({"sku": "A"}, "sku-or-items"),
        ({"sku": "A", "quantity": 1, "items": [{"sku": "A", "quantity": 1}]}, None),
        ({"release": True}, "release-and-hold-id"),
        ({"hold_id": str(MAIN)}, "release-and-hold-id"),
        ({"hold_id": str(MAIN), "release": True, "sku": "A"}, "hold-or-release"),
        ({"sku": "A", "quantity": 0}, "invalid-request"),
        ({"sku": "A", "quantity": 1, "expires_seconds": 86_401}, "invalid-request"),
        ({"sku": "A", "quantity": 1, "idempotency_key": "short"}, "invalid-request"),
        ({"items": []}, "invalid-request"),
        ({"sku": "A", "quantity": 1, "colour": "red"}, "invalid-request"),
    ],
)
async def test_a_bad_request_for_a_hold_is_refused(shop, body, code) -> None:
    request = msgspec.json.encode(body)
    kind = SERVICES["inventory.reserve-stock"]
    with pytest.raises((Refusal, msgspec.ValidationError)) as no:
        msgspec.json.decode(request, type=kind).to_message()
    found = no.value.code if isinstance(no.value, Refusal) else "invalid-request"
    assert found == (code or "sku-or-items")


async def test_stock_is_counted_over_nats_once_by_its_key(shop) -> None:
    async with shop("inventory") as s:
        east = await opened(s, "EAST")
        subject = "inventory.update-stock"
        body = {"sku": "A", "delta": 3, "reason": "delivery"}
        keyed = {**body, "warehouse": "EAST", "idempotency_key": KEY + "count"}
        first = await served(s, subject, **keyed)
        assert await served(s, subject, **keyed) == first
        assert await served(s, subject, **body)
        assert await pieces(s, "A") == {MAIN: (3, 0), east: (3, 0)}
        moves = (await s.ask(ListMovements(sku="A"))).items
        assert {m.actor_id for m in moves} == {NATS_CALLER}
        for more, code in (
            ({"warehouse": "WEST"}, "not-found"),
            ({"warehouse": "EAST", "warehouse_id": str(east)}, "one-warehouse"),
            ({"on_hand": 3}, "delta-or-on-hand"),
            ({"hold_id": str(MAIN)}, "hold-or-count"),
            ({"reason": None}, "sku-and-reason"),
            ({"delta": -9}, "below-zero"),
            ({"reason": " "}, "invalid-request"),
            ({"actor_id": str(MAIN)}, "invalid-request"),
        ):
            assert await refused(s, subject, **{**body, **more}) == code
        assert len((await s.ask(ListMovements(sku="A"))).items) == 2


@pytest.mark.full
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("wanted", [2, 99], ids=["held", "short"])
async def test_a_hold_survives_a_kill_between_any_two_steps(
    shop, wanted, shards, after
) -> None:
    async with shop("inventory", shards=shards) as s:
        skus = skus_in_shards(3)
        for sku in skus:
            await counted(s, sku, 50)
        held = 0

        async def act() -> None:
            nonlocal held
            lines = [(sku, 1) for sku in skus[:2]]
            hold = holding(*lines, (skus[2], wanted))
            [end] = await asyncio.gather(
                s.ask(hold, timeout_seconds=25.0, join=True), return_exceptions=True
            )
            assert isinstance(end, Refusal) is (wanted == 99), end
            held += wanted == 2

        async def check() -> None:
            assert await pieces(s, skus[0]) == {MAIN: (50, held)}
            assert await pieces(s, skus[2]) == {MAIN: (50, 2 * held)}
            await check_books(s)

        assert await walk(s, act, check, after=after, commits_max=15) >= 3


@pytest.mark.full
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("shards", [1, 3])
async def test_a_hold_is_taken_whole_though_killed_between_any_two_steps(
    shop, shards, after
) -> None:
    async with shop("inventory", shards=shards) as s:
        skus = skus_in_shards(3)
        for sku in skus:
            await counted(s, sku, 50)
        left = 50

        async def act() -> None:
            nonlocal left
            held = await s.ask(
                holding(*((sku, 1) for sku in skus)), timeout_seconds=25.0, join=True
            )
            take = TakeHold(hold_id=held.hold_id)
            await s.ask(take, timeout_seconds=25.0, join=True)
            left -= 1

        async def check() -> None:
            for sku in skus:
                assert await pieces(s, sku) == {MAIN: (left, 0)}
            await check_books(s)

        assert await walk(s, act, check, after=after, commits_max=30) >= 5
