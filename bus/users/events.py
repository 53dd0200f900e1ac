"""What has happened to people, told with ids alone."""

from uuid import UUID

from bus.kit.messages import Event, by
from bus.users.views import (
    Role,
    Status,
)


class UserRegistered(Event, frozen=True, kw_only=True):
    """An account was made."""

    key = by("user_id")
    subject = by("user_id")
    user_id: UUID


class EmailVerified(Event, frozen=True, kw_only=True):
    """A person has shown that the address is theirs."""

    key = by("user_id")
    subject = by("user_id")
    user_id: UUID


class PasswordChanged(Event, frozen=True, kw_only=True):
    """A person has a new password."""

    key = by("user_id")
    subject = by("user_id")
    user_id: UUID


class SessionsRevoked(Event, frozen=True, kw_only=True):
    """Sessions ended: those named, or, where none is, all that are below `epoch`."""

    key = by("user_id")
    subject = by("user_id")
    user_id: UUID
    epoch: int
    reason: str
    session_ids: tuple[UUID, ...] = ()


class RoleChanged(Event, frozen=True, kw_only=True):
    """A person has another role."""

    key = by("user_id")
    subject = by("user_id")
    user_id: UUID
    role: Role


class StatusChanged(Event, frozen=True, kw_only=True):
    """A person was blocked or let in again."""

    key = by("user_id")
    subject = by("user_id")
    user_id: UUID
    status: Status
