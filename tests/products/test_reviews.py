"""Reviews: one a person, shown when approved, averaged exactly, without words told."""

import asyncio
import json

import pytest

from bus.kit.addressing import derived_id, new_id
from bus.kit.refusals import Refusal, RefusalKind
from bus.orders import OrderDelivered
from bus.products import (
    GetProduct,
    GetReview,
    ListProducts,
    ListReviews,
    ModerateReview,
    SubmitReview,
)
from tests.products import product, usd


def review(product_id, rating: int, user_id=None) -> SubmitReview:
    return SubmitReview(
        product_id=product_id,
        review_id=derived_id(new_id(), "review", product_id),
        user_id=user_id or new_id(),
        rating=rating,
        title="My word",
        comment="Lovely secret words",
    )


def verdict(review_id, status: str = "APPROVED", **more) -> ModerateReview:
    return ModerateReview(
        review_id=review_id, moderator_id=new_id(), status=status, **more
    )


async def rating(s, product_id) -> tuple[float, int]:
    found = (await s.ask(GetProduct(reference=str(product_id)))).rating
    return found.average, found.count


@pytest.mark.parametrize("shards", [1, 3])
async def test_the_average_is_that_of_the_approved_ones(shop, shards) -> None:
    async with shop("products", shards=shards) as s:
        made = await s.ask(product())
        receipts = await asyncio.gather(
            *(s.ask(review(made.id, stars)) for stars in (5, 4, 4, 1))
        )
        assert await rating(s, made.id) == (0.0, 0)
        await asyncio.gather(*(s.ask(verdict(each.id)) for each in receipts))
        await asyncio.gather(*(s.ask(verdict(each.id)) for each in receipts))
        assert await rating(s, made.id) == (3.5, 4)
        await s.ask(verdict(receipts[3].id, "REJECTED", reason="spam"))
        assert await rating(s, made.id) == (4.33, 3)
        page = await s.ask(ListReviews(product_id=made.id))
        assert sorted(each.rating for each in page.items) == [4, 4, 5]
        assert (await s.ask(GetProduct(reference=str(made.id)))).version == 1
        good = await s.ask(ListProducts(min_rating=4))
        assert [each.id for each in good.items] == [made.id]
        assert (await s.ask(ListProducts(min_rating=5))).items == ()


async def test_a_person_reviews_a_product_once(shop) -> None:
    async with shop("products") as s:
        made, user, id_ = await s.ask(product()), new_id(), new_id()
        first = review(made.id, 5, user)
        one, two = await asyncio.gather(s.ask(first, id=id_), s.ask(first, id=id_))
        assert one == two
        with pytest.raises(Refusal) as caught:
            await s.ask(review(made.id, 1, user))
        assert caught.value.code == "review-exists"
        with pytest.raises(Refusal):
            await s.ask(review(new_id(), 1, user))
        assert len((await s.ask(ListReviews(status="PENDING"))).items) == 1


async def test_neither_events_nor_answers_keep_a_persons_words(shop) -> None:
    async with shop("products") as s:
        made = await s.ask(product())
        receipt = await s.ask(review(made.id, 5))
        await s.ask(verdict(receipt.id, reason="fine"))
        assert "secret" not in json.dumps(await s.events())
        for row in await s.rows("products", "SELECT answer FROM handled"):
            assert b"secret" not in row["answer"]
        types = [each["type"] for each in await s.events()][1:]
        assert types == [
            "products.review_submitted.v1",
            "products.review_moderated.v1",
        ]
        assert (await s.ask(GetReview(review_id=receipt.id))).reason == "fine"


async def test_nobody_reviews_what_they_sell(shop) -> None:
    async with shop("products") as s:
        seller = new_id()
        made = await s.ask(product(seller_id=seller))
        with pytest.raises(Refusal) as caught:
            await s.ask(review(made.id, 5, seller))
        assert caught.value.data.kind is RefusalKind.FORBIDDEN
        assert (await s.ask(ListReviews(status=None))).items == ()


async def test_a_purchase_is_verified_however_late_it_is_delivered(shop) -> None:
    async with shop("products") as s:
        made, user = await s.ask(product()), new_id()
        receipt = await s.ask(review(made.id, 5, user))
        assert not (await s.ask(GetReview(review_id=receipt.id))).verified_purchase
        order_id = new_id(user)
        delivered = OrderDelivered(
            order_id=order_id,
            user_id=user,
            number="1",
            total=usd(1999),
            product_ids=(made.id,),
        )
        for _ in range(2):
            await s.ask(delivered, domain="products")
        assert (await s.ask(GetReview(review_id=receipt.id))).verified_purchase
        other = await s.ask(review(made.id, 1))
        assert not (await s.ask(GetReview(review_id=other.id))).verified_purchase


async def test_moderators_at_once_and_late_ones_count_once(shop) -> None:
    async with shop("products") as s:
        made = await s.ask(product())
        receipt = await s.ask(review(made.id, 4))
        seen = [
            verdict(receipt.id, version=1),
            verdict(receipt.id, "REJECTED", version=1),
        ]
        ends = await asyncio.gather(*map(s.ask, seen), return_exceptions=True)
        stale = [end for end in ends if isinstance(end, Refusal)]
        assert [end.data.kind for end in stale] == [RefusalKind.STALE]
        for status, average in (
            ("APPROVED", 4.0),
            ("REJECTED", 0.0),
            ("APPROVED", 4.0),
        ):
            await s.ask(verdict(receipt.id, status))
            assert await rating(s, made.id) == (average, int(average > 0))


async def test_pages_of_reviews_hold_each_once(shop) -> None:
    async with shop("products") as s:
        made = await s.ask(product())
        for stars in range(1, 6):
            await s.ask(review(made.id, stars))
        seen, cursor = [], None
        for _ in range(3):
            page = await s.ask(ListReviews(status="PENDING", limit=2, cursor=cursor))
            seen += [each.rating for each in page.items]
            cursor = page.next_cursor
        assert (seen, cursor) == ([5, 4, 3, 2, 1], None)
