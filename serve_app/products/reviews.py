"""Routes of reviews."""

from uuid import UUID

import msgspec

from bus.kit.addressing import derived_id
from bus.kit.values import Page
from bus.products import (
    GetReview,
    ListReviews,
    ModerateReview,
    ReviewStatus,
    ReviewView,
    SubmitReview,
)
from serve_app.kit.routing import (
    ADMIN,
    PUBLIC,
    SIGNED_IN,
    Answer,
    Caller,
    ExpectedVersion,
    Near,
    Pages,
    ask,
    created,
)
from serve_app.products.bodies import ModerationBody, ReviewBody
from serve_app.products.router import LISTS, router

AGE_SECONDS_MAX = 2.0


@router.get(
    "/products/{product_id}/reviews",
    access=PUBLIC,
    near=Near(AGE_SECONDS_MAX, lambda _: (LISTS,)),
)
async def list_product_reviews(product_id: UUID, pages: Pages) -> Page[ReviewView]:
    """Show the approved reviews of a product, newest first."""
    return await ask(
        ListReviews(product_id=product_id, limit=pages.limit, cursor=pages.cursor)
    )


@router.post(
    "/products/{product_id}/reviews", access=SIGNED_IN, idempotent=True, status=201
)
async def submit_review(
    product_id: UUID, body: ReviewBody, caller: Caller
) -> Answer[ReviewView]:
    """Review a product, once a person; it shows when a moderator has approved it.

    Who sells it may not (403). `verified_purchase` says that the person was delivered
    the product, before the review or after it.
    """
    command_id = caller.command_id()
    command = SubmitReview(
        product_id=product_id,
        review_id=derived_id(command_id, "review", product_id),
        user_id=caller.person,
        rating=body.rating,
        comment=body.comment,
        title=body.title,
    )
    receipt = await ask(command, id=command_id)
    # Asked again with the same key it is the first answer, whatever came since.
    review = msgspec.structs.replace(
        await ask(GetReview(review_id=receipt.id)),
        version=receipt.version,
        status=receipt.status,
        updated_at=receipt.created_at,
        reason=None,
    )
    return created(review, f"/reviews/{review.id}")


@router.get("/reviews", access=ADMIN)
async def list_reviews(
    pages: Pages, status: ReviewStatus | None = None
) -> Page[ReviewView]:
    """List reviews of all products, newest first."""
    return await ask(ListReviews(status=status, limit=pages.limit, cursor=pages.cursor))


@router.put("/reviews/{review_id}/moderation", access=ADMIN)
async def moderate_review(
    review_id: UUID, body: ModerationBody, caller: Caller, version: ExpectedVersion
) -> ReviewView:
    """Approve or reject a review, with a reason; a verdict may be changed.

    The product's average follows at once: it is the exact mean of what is approved.
    """
    await ask(
        ModerateReview(
            review_id=review_id,
            moderator_id=caller.person,
            status=body.status,
            reason=body.reason,
            version=version,
        )
    )
    return await ask(GetReview(review_id=review_id))
