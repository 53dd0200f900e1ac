"""Erasing a person: their reviews lose every word, and keep their stars.

Words may name whoever wrote them, so none stays; the stars name nobody, and without
them the average of a product would change because somebody left. What a seller has on
sale is the shop's: it stays, under an id that is nobody's any more.
"""

import asyncio
from datetime import timedelta
from uuid import UUID

from actors.kit.domain import Domain, handles
from actors.kit.process import Run
from bus.kit.values import Done
from bus.products import ReviewModerated
from bus.products.erasing import EraseReview, EraseReviews, ForgetAuthor
from bus.users import UserErased
from persistence.kit.erased import SEEN_SECONDS_MAX, note_erased
from persistence.kit.transaction import Tx
from persistence.products import erase_words, load_review, worded_reviews

REVIEWS_AT_ONCE_MAX = 100


class Erasing(Domain):
    """Forgets who has written what."""

    @handles(UserErased)
    async def user_erased(self, run: Run, event: UserErased) -> Done:
        """Take no more reviews, then have each one's owner drop its words."""
        await run.step(ForgetAuthor(user_id=event.user_id, again=True))
        return await self._erase(run, event.user_id)

    @handles(EraseReviews)
    async def erase_reviews(self, run: Run, m: EraseReviews) -> Done:
        """The same once more, for what was being written meanwhile."""
        await run.step(ForgetAuthor(user_id=m.user_id, again=False))
        return await self._erase(run, m.user_id)

    async def _erase(self, run: Run, user_id: UUID) -> Done:
        while True:
            async with self.read() as db:
                found = await worded_reviews(db, user_id, REVIEWS_AT_ONCE_MAX)
            await asyncio.gather(
                *(run.ask(EraseReview(review_id=review_id)) for review_id in found)
            )
            if len(found) < REVIEWS_AT_ONCE_MAX:
                return Done()

    @handles(ForgetAuthor)
    async def forget_author(self, tx: Tx, m: ForgetAuthor) -> Done:
        """Note that the person is gone, and look again when that is seen by all."""
        await note_erased(tx, m.user_id)
        if m.again:
            at = tx.now + timedelta(seconds=SEEN_SECONDS_MAX)
            tx.due(f"reviews:{m.user_id}", at, EraseReviews(user_id=m.user_id))
        return Done()

    @handles(EraseReview)
    async def erase_review(self, tx: Tx, m: EraseReview) -> Done:
        """Drop the words; where they are shown is told, so that no copy stays near."""
        review = await load_review(tx, m.review_id)
        if review is None or not (review.title or review.comment or review.reason):
            return Done()
        await erase_words(tx, m.review_id)
        if review.status == "APPROVED":
            tx.tell(
                ReviewModerated(
                    review_id=review.id,
                    product_id=review.product_id,
                    status=review.status,
                    rating=review.rating,
                )
            )
        return Done()
