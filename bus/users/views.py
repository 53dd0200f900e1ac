"""What users shows: people, sessions, addresses."""

import enum
from datetime import datetime
from uuid import UUID

from bus.kit.values import Address, Value


class Role(enum.StrEnum):
    """What a person may do in the shop."""

    CUSTOMER = "CUSTOMER"
    SELLER = "SELLER"
    ADMIN = "ADMIN"


class Status(enum.StrEnum):
    """Whether a person may sign in."""

    ACTIVE = "ACTIVE"
    BLOCKED = "BLOCKED"


class Purpose(enum.StrEnum):
    """What a mailed code proves the holder of the address for."""

    VERIFY_EMAIL = "VERIFY_EMAIL"
    RESET_PASSWORD = "RESET_PASSWORD"  # noqa: S105 - a purpose


class UserView(Value, frozen=True, kw_only=True):
    """A person, as that person and administrators see them."""

    id: UUID
    email: str
    email_verified: bool
    first_name: str
    last_name: str
    role: Role
    status: Status
    phone: str | None
    locale: str
    version: int
    created_at: datetime
    updated_at: datetime


class SignedIn(Value, frozen=True, kw_only=True):
    """A session: who it is for and what the edge needs to make its tokens.

    `refresh_token` is `<session id>.<256-bit secret>`; only its SHA-256 is stored.
    The access token is signed at the edge, with `user.role` and `epoch`.
    """

    user: UserView
    session_id: UUID
    refresh_token: str
    epoch: int


class Standing(Value, frozen=True, kw_only=True):
    """What decides whether an access token still counts: all but the token itself."""

    user_id: UUID
    role: Role
    status: Status
    epoch: int
    session_lives: bool


class RaisedEpochs(Value, frozen=True, kw_only=True):
    """Epochs raised and sessions ended lately: older tokens of these count no more.

    `as_of` is the `since` of the next ask. It lies some seconds before the reading, so
    that a raise whose transaction was still open is found the next time.
    """

    epochs: dict[UUID, int]
    ended_sessions: tuple[UUID, ...] = ()
    as_of: datetime


class Contact(Value, frozen=True, kw_only=True):
    """Where and how a person is written to."""

    user_id: UUID
    email: str
    email_verified: bool
    first_name: str
    last_name: str
    phone: str | None
    locale: str


class AddressView(Address, frozen=True, kw_only=True):
    """An address in a person's address book."""

    id: UUID
    default_shipping: bool
    default_billing: bool
    version: int
    created_at: datetime
    updated_at: datetime

    def plain(self) -> Address:
        """The address alone, as an order keeps it."""
        fields = Address.__struct_fields__
        return Address(**{field: getattr(self, field) for field in fields})


class AddressAdded(Value, frozen=True, kw_only=True):
    """What adding an address decided; the address itself is the asker's to know."""

    address_id: UUID
    default_shipping: bool
    default_billing: bool
    version: int
    created_at: datetime


class Saved(Value, frozen=True):
    """The version that an edited resource has now."""

    version: int


class AccountFound(Value, frozen=True):
    """The id of an address's account; for an unknown address one that nobody has.

    An unknown address is then treated like a known one all the way, in the same time.
    """

    user_id: UUID


class UserIds(Value, frozen=True):
    """Some people."""

    user_ids: tuple[UUID, ...]
