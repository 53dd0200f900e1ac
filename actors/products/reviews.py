"""Reviews: submitted once, moderated, counted exactly; and who has bought."""

from actors.kit.domain import Domain, handles, handles_many
from actors.products import decide
from bus.kit.refusals import not_found, stale
from bus.kit.values import Done, Page
from bus.orders import OrderDelivered
from bus.products import (
    GetReview,
    ListReviews,
    ModerateReview,
    ReviewModerated,
    ReviewReceipt,
    ReviewSubmitted,
    ReviewView,
    SubmitReview,
    no_product,
    no_review,
    own_product,
    review_exists,
)
from persistence.kit.database import Db
from persistence.kit.erased import erased_among
from persistence.kit.transaction import Tx
from persistence.products import (
    find_reviews,
    insert_review,
    load_products,
    load_review,
    moderate_review,
    move_rating,
    save_purchases,
)


class Reviews(Domain):
    """What people think of products."""

    @handles(SubmitReview)
    async def submit_review(self, tx: Tx, message: SubmitReview) -> ReviewReceipt:
        """Take a person's one review of a product that is on sale."""
        product = (await load_products(tx, [message.product_id])).get(
            message.product_id
        )
        if product is None or product.status != "ACTIVE":
            raise no_product()
        if product.seller_id == message.user_id:
            raise own_product()
        if await erased_among(tx, [message.user_id]):
            raise not_found("user")
        review = ReviewView(
            id=message.review_id,
            version=1,
            created_at=tx.now,
            updated_at=tx.now,
            product_id=message.product_id,
            user_id=message.user_id,
            rating=message.rating,
            title=message.title,
            comment=message.comment,
            status="PENDING",
            reason=None,
            verified_purchase=False,
        )
        if not await insert_review(tx, review):
            raise review_exists()
        tx.tell(
            ReviewSubmitted(
                review_id=review.id,
                product_id=review.product_id,
                user_id=review.user_id,
                rating=review.rating,
            )
        )
        return ReviewReceipt(
            id=review.id, version=1, created_at=tx.now, status="PENDING"
        )

    @handles(ModerateReview)
    async def moderate_review(self, tx: Tx, message: ModerateReview) -> Done:
        """Give a verdict; the same one again changes nothing."""
        review = await load_review(tx, message.review_id)
        if review is None:
            raise no_review()
        if message.version is not None and message.version != review.version:
            raise stale()
        if (review.status, review.reason) == (message.status, message.reason):
            return Done()
        await moderate_review(
            tx, review, message.status, message.reason, message.moderator_id
        )
        tx.audit(
            message,
            review.id,
            {"status": review.status},
            {"status": message.status, "product_id": review.product_id},
        )
        stars, count = decide.rating_moves(review.status, message.status, review.rating)
        if count:
            await move_rating(tx, review.product_id, stars, count)
        tx.tell(
            ReviewModerated(
                review_id=review.id,
                product_id=review.product_id,
                status=message.status,
                rating=review.rating,
            )
        )
        return Done()

    @handles(ListReviews)
    async def list_reviews(self, db: Db, query: ListReviews) -> Page[ReviewView]:
        """One page of reviews, newest first."""
        items, cursor = await find_reviews(db, query)
        return Page(items, cursor)

    @handles(GetReview)
    async def get_review(self, db: Db, query: GetReview) -> ReviewView:
        """One review."""
        review = await load_review(db, query.review_id)
        if review is None:
            raise no_review()
        return review

    @handles_many(OrderDelivered)
    async def note_delivery(self, tx: Tx, events: list[OrderDelivered]) -> list[Done]:
        """Remember who was delivered what: their reviews are of verified purchases."""
        bought = [
            (event.order_id, product_id, event.user_id)
            for event in events
            if event.user_id is not None
            for product_id in event.product_ids
        ]
        if bought:
            await save_purchases(tx, bought)
        return [Done()] * len(events)
