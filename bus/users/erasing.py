"""How a person leaves for good (GDPR article 17)."""

from uuid import UUID

from bus.kit.messages import Command, Event, by
from bus.kit.refusals import Refusal, RefusalKind
from bus.kit.values import Done

SIGNED_IN_MINUTES_MAX = 60
"""How young the session must be that asks for an erasure."""


class EraseUser(Command[Done], frozen=True, kw_only=True):
    """Forget a person; again changes nothing.

    The account, its sessions, codes and addresses go at once, the other domains
    follow by `UserErased`. Refuses `sign-in-again` unless `session_id` is a session
    that began in the last `SIGNED_IN_MINUTES_MAX`, and `last-administrator`.
    """

    key = by("user_id")
    remembered = False
    user_id: UUID
    session_id: UUID


class UserErased(Event, frozen=True, kw_only=True):
    """A person is gone: whoever holds anything of theirs forgets it."""

    key = by("user_id")
    subject = by("user_id")
    user_id: UUID


def sign_in_again() -> Refusal:
    """What cannot be undone takes somebody who has just shown who they are.

    A fresh sign-in is asked for, not a password: people who sign in at another place
    (OpenID Connect) have none here.
    """
    detail = f"Sign in again: within {SIGNED_IN_MINUTES_MAX} minutes you may do this."
    return Refusal(RefusalKind.FORBIDDEN, "sign-in-again", detail)
