"""A buyer whose bank takes its time delays nobody else."""

import asyncio

import pytest

from tests.e2e import figures
from tests.e2e.conftest import MakePerson
from tests.e2e.crowd import Crowd
from tests.e2e.people import Person, Stranger, new_goods
from tests.e2e.shops import LiveShop
from tests.e2e.waiting import until

ORDERS = 64
ROUNDS = 3
SLOW, QUICK = "tok_slow_10000", "tok_slow_10"
TIMES_MAX = 2.0

pytestmark = pytest.mark.full


async def place_all(buyers: list[Stranger], sku: str, token: str) -> Crowd:
    """One order of each buyer, all at once."""
    crowd = Crowd(buyers)
    await asyncio.gather(
        *(crowd.place(buyer, (sku, 1), token=token) for buyer in buyers)
    )
    return crowd


async def quick_rounds(buyers: list[Stranger], sku: str) -> Crowd:
    """All quick orders of some rounds, one round after the other."""
    whole = Crowd(buyers)
    for _ in range(ROUNDS):
        crowd = await place_all(buyers, sku, QUICK)
        whole.seconds += crowd.seconds
        whole.answers += crowd.answers
    return whole


async def test_64_slow_charges_leave_64_quick_ones_as_quick_as_they_were(
    live_shop: LiveShop, customer: MakePerson, keeper: Person
) -> None:
    sku = await new_goods(keeper, stock=5_000)
    people: list[Stranger] = [await customer() for _ in range(8)]
    buyers = people * (ORDERS // len(people))
    await quick_rounds(buyers, sku)  # warm
    alone = await quick_rounds(buyers, sku)

    slow = asyncio.create_task(place_all(buyers, sku, SLOW))
    await until(lambda: _waiting(live_shop), "all slow charges are under way")
    beside = await quick_rounds(buyers, sku)
    assert not slow.done(), "the quick ones took longer than the slow ones"
    finished = await slow

    everyone = [*alone.answers, *beside.answers, *finished.answers]
    assert {answer.status for answer in everyone} == {201}
    figures.note(
        slow_bank={
            "quick alone p99 seconds": round(alone.p99(), 3),
            "quick beside slow p99 seconds": round(beside.p99(), 3),
        }
    )
    assert beside.p99() <= TIMES_MAX * alone.p99()


async def _waiting(shop: LiveShop) -> bool:
    sql = "SELECT count(*)::int AS open FROM attempts WHERE status = 'OPEN'"
    return bool((await shop.rows("payments", sql))[0]["open"] >= ORDERS)
