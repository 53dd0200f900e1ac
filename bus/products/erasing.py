"""How products forget a person and keep their stars; nobody else sends these."""

from uuid import UUID

from bus.kit.messages import Command, by
from bus.kit.values import Done


class ForgetAuthor(Command[Done], frozen=True, kw_only=True):
    """Take no review of this person any more (a step)."""

    key = by("user_id")
    remembered = False
    user_id: UUID
    again: bool


class EraseReviews(Command[Done], frozen=True, kw_only=True):
    """Look again for reviews that came while the person went (a due message)."""

    key = by("user_id")
    remembered = False
    user_id: UUID


class EraseReview(Command[Done], frozen=True, kw_only=True):
    """Drop the words of a review; its stars go on counting."""

    key = by("review_id")
    remembered = False
    review_id: UUID
