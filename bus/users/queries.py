"""What users can be asked."""

from datetime import datetime
from uuid import UUID

from bus.kit.messages import ANY, Query, by
from bus.kit.values import LIMIT_DEFAULT, Page
from bus.users.views import (
    AccountFound,
    AddressView,
    Contact,
    RaisedEpochs,
    Role,
    Standing,
    Status,
    UserIds,
    UserView,
)


class GetUser(Query[UserView], frozen=True, kw_only=True):
    """One person."""

    key = by("user_id")
    user_id: UUID


class GetStanding(Query[Standing], frozen=True, kw_only=True):
    """Whether a session's access tokens count, for an edge whose list is too old."""

    key = by("user_id")
    user_id: UUID
    session_id: UUID


class GetContact(Query[Contact], frozen=True, kw_only=True):
    """Where a person is written to."""

    key = by("user_id")
    user_id: UUID


class ListAddresses(Query[Page[AddressView]], frozen=True, kw_only=True):
    """A person's address book, whole (it is small), newest first."""

    key = by("user_id")
    user_id: UUID


class GetAddress(Query[AddressView], frozen=True, kw_only=True):
    """One address of a person; another person's is not found."""

    key = by("user_id")
    user_id: UUID
    address_id: UUID


class FindAccount(Query[AccountFound], frozen=True, kw_only=True):
    """Whose an e-mail address is."""

    key = ANY
    email: str


class ListUsers(Query[Page[UserView]], frozen=True, kw_only=True):
    """People, newest first; `search` is the beginning of an address or a name."""

    key = ANY
    search: str | None = None
    role: Role | None = None
    status: Status | None = None
    limit: int = LIMIT_DEFAULT
    cursor: str | None = None


class ListRaisedEpochs(Query[RaisedEpochs], frozen=True, kw_only=True):
    """The epochs that were raised, and the sessions that ended, since a moment."""

    key = ANY
    since: datetime


class FindStaff(Query[UserIds], frozen=True, kw_only=True):
    """The active people of a role, for alerts; at most a hundred."""

    key = ANY
    role: Role
