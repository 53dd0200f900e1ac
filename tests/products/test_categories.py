"""The tree: three deep, without cycles, and nothing in use is removed."""

import asyncio

import pytest

from actors.products.decide import CATEGORY_DEPTH_MAX
from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal, RefusalKind
from bus.products import (
    CategoryDraft,
    DeleteCategory,
    ListCategories,
    UpdateCategory,
)
from tests.products import category, product


def move(view, parent_id=None, version=None) -> UpdateCategory:
    draft = CategoryDraft(name=view.name, parent_id=parent_id, slug=view.slug)
    return UpdateCategory(category_id=view.id, draft=draft, version=version)


async def refused(s, message) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await s.ask(message)
    return caught.value


@pytest.mark.parametrize("shards", [1, 3])
async def test_the_tree_lists_parents_before_children(shop, shards) -> None:
    async with shop("products", shards=shards) as s:
        top = await s.ask(category("Top", position=1))
        low = await s.ask(category("Low", (await s.ask(category("Mid", top.id))).id))
        first = await s.ask(category("First"))
        tree = (await s.ask(ListCategories())).items
        assert [each.slug for each in tree] == ["first", "top", "mid", "low"]
        assert tree[0] == first
        assert tree[3] == low


async def test_a_category_cannot_stand_under_itself(shop) -> None:
    async with shop("products") as s:
        top = await s.ask(category("Top"))
        low = await s.ask(category("Low", top.id))
        assert (await refused(s, move(top, low.id))).code == "category-cycle"
        assert (await refused(s, move(top, top.id))).code == "category-cycle"
        assert (await refused(s, move(top, new_id()))).code == "unknown-category"
        assert (await s.ask(ListCategories())).items == (top, low)
        moved = await s.ask(move(low, None, version=1))
        assert (moved.version, moved.parent_id) == (2, None)
        old = await refused(s, move(low, None, version=1))
        assert old.data.kind is RefusalKind.STALE


async def test_a_slug_is_one_categorys(shop) -> None:
    async with shop("products") as s:
        await s.ask(category("Books"))
        second = await s.ask(category("Books"))
        assert second.slug == f"books-{second.id.hex[-8:]}"
        assert (await refused(s, category("B", slug="books"))).code == "slug-taken"


@pytest.mark.parametrize("shards", [1, 3])
async def test_a_category_in_use_stays_whoever_is_first(shop, shards) -> None:
    async with shop("products", shards=shards) as s:
        for _ in range(8):
            shelf = await s.ask(category("Shelf"))
            made, gone = await asyncio.gather(
                s.ask(product(category_id=shelf.id)),
                s.ask(DeleteCategory(category_id=shelf.id)),
                return_exceptions=True,
            )
            ends = [each.code for each in (made, gone) if isinstance(each, Refusal)]
            assert ends in (["unknown-category"], ["category-in-use"])


async def test_a_parent_stays_and_an_empty_category_goes(shop) -> None:
    async with shop("products") as s:
        top = await s.ask(category("Top"))
        low = await s.ask(category("Low", top.id))
        parent = DeleteCategory(category_id=top.id)
        assert (await refused(s, parent)).code == "category-in-use"
        await s.ask(DeleteCategory(category_id=low.id, version=1))
        await s.ask(DeleteCategory(category_id=top.id))
        assert (await s.ask(ListCategories())).items == ()
        assert (await refused(s, parent)).code == "not-found"


async def test_the_tree_has_so_many_levels_and_no_more(shop) -> None:
    async with shop("products") as s:
        chain, above = [], None
        for depth in range(CATEGORY_DEPTH_MAX):
            view = await s.ask(category(f"Level {depth}", above))
            chain.append(view)
            above = view.id
        assert (await refused(s, category("Deep", above))).code == "category-too-deep"
        top = await s.ask(category("Top"))
        deep = await refused(s, move(chain[0], top.id))
        assert deep.code == "category-too-deep"
        assert (await s.ask(move(chain[-1], top.id))).parent_id == top.id
        assert (await s.ask(move(chain[0], top.id))).parent_id == top.id
