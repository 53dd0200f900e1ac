"""What of a person's account only their own export shows."""

from datetime import datetime
from uuid import UUID

from bus.kit.messages import Query, by
from bus.kit.values import Page, Value


class SessionSeen(Value, frozen=True, kw_only=True):
    """A sign-in; of its token and of the client's address there are only hashes."""

    id: UUID
    created_at: datetime
    rotated_at: datetime
    expires_at: datetime
    ended_at: datetime | None


class IdentitySeen(Value, frozen=True, kw_only=True):
    """Who a person is at an outside issuer: its `iss` and `sub`."""

    issuer: str
    subject: str
    since: datetime


class ListIdentities(Query[Page[IdentitySeen]], frozen=True, kw_only=True):
    """What a person signs in with elsewhere, whole (they are few), oldest first."""

    key = by("user_id")
    user_id: UUID


class ListSessions(Query[Page[SessionSeen]], frozen=True, kw_only=True):
    """A person's sessions, whole (they are few), newest first."""

    key = by("user_id")
    user_id: UUID
