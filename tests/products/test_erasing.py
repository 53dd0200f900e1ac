"""Who is gone leaves stars and no word: whatever came late, and whoever died."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal
from bus.products import GetProduct
from bus.products.erasing import EraseReviews
from bus.users import UserErased
from tests.orders.test_kills import Doom, kill_when_reached
from tests.products import product, variant
from tests.products.test_reviews import review, verdict

COMMITS_MAX = 25
WORDS = "SELECT user_id, title, comment FROM reviews ORDER BY rating DESC, id"


async def reviewed(s: Any, ann: UUID, bob: UUID) -> tuple[UUID, ...]:
    """Two products that both have reviewed; all of it is approved."""
    made = [await s.ask(product(f"P{n}", variant(f"P-{n}"))) for n in range(2)]
    for one in made:
        for person, stars in ((ann, 5), (bob, 2)):
            receipt = await s.ask(review(one.id, stars, person))
            await s.ask(verdict(receipt.id))
    return tuple(one.id for one in made)


async def erase(s: Any, user_id: UUID, event_id: UUID) -> None:
    """The fact that a person is gone, as the bridge hands it over."""
    event = UserErased(user_id=user_id)
    await s.ask(event, id=event_id, domain="products", join=True)


async def check_forgotten(s: Any, ann: UUID, bob: UUID, ids: tuple[UUID, ...]) -> None:
    """Ann's words are gone, Bob's are there, and every star counts as before."""
    rows = await s.rows("products", WORDS)
    anns = [row for row in rows if row["user_id"] == ann]
    assert [(row["title"], row["comment"]) for row in anns] == [(None, "")] * 2
    bobs = [row for row in rows if row["user_id"] == bob]
    assert {row["comment"] for row in bobs} == {"Lovely secret words"}
    for product_id in ids:
        found = (await s.ask(GetProduct(reference=str(product_id)))).rating
        assert (found.average, found.count) == (3.5, 2)


@pytest.mark.parametrize("shards", [1, 3])
async def test_words_go_and_stars_stay_and_none_comes_late(shop, shards) -> None:
    async with shop("products", shards=shards) as s:
        ann, bob, event_id = new_id(), new_id(), new_id()
        ids = await reviewed(s, ann, bob)
        third = await s.ask(product("P3", variant("P-3")))
        await asyncio.gather(*(erase(s, ann, event_id) for _ in range(3)))
        await check_forgotten(s, ann, bob, ids)
        before = len(await s.events("products"))
        await s.ask(EraseReviews(user_id=ann))  # the second look finds nothing
        assert len(await s.events("products")) == before
        with pytest.raises(Refusal) as late:
            await s.ask(review(third.id, 4, ann))
        assert late.value.code == "not-found"
        assert len(await s.rows("products", WORDS)) == 4


async def erased_through_a_kill(s: Any, at: int, *, after: bool) -> bool:
    """Forget Ann through a kill at commit number `at`; whether there was such a one."""
    ann, bob = new_id(), new_id()
    ids = await reviewed(s, ann, bob)
    doom = Doom(at, after)
    doom.watch(s.shard("products"))
    killer = asyncio.create_task(kill_when_reached(s, doom, "products"))
    await erase(s, ann, new_id())
    await check_forgotten(s, ann, bob, ids)
    due = "SELECT name FROM due WHERE name = $1"
    assert len(await s.rows("products", due, f"reviews:{ann}")) == 1
    reached = doom.reached.is_set()
    if not reached:
        killer.cancel()
    await asyncio.gather(killer, return_exceptions=True)
    return reached


@pytest.mark.parametrize(
    "after",
    [pytest.param(False, marks=pytest.mark.full), True],
    ids=["before", "after"],
)
async def test_a_kill_between_any_two_commits_forgets_all_the_same(shop, after) -> None:
    for at in range(1, COMMITS_MAX):
        async with shop("products") as s:
            if not await erased_through_a_kill(s, at, after=after):
                break
    assert 3 <= at < COMMITS_MAX, "the walk ended too early, or never"
