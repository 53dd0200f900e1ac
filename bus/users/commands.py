"""What users can be asked to change.

Where a reply holds personal data or secrets, the command is not remembered: a row of
its own makes it act once. `client` is the asker's network address; it is stored as a
keyed hash only.
"""

from uuid import UUID

import msgspec

from bus.kit.addressing import new_id
from bus.kit.messages import Command, by
from bus.kit.values import Address, Done
from bus.users.views import (
    AddressAdded,
    Role,
    Saved,
    SignedIn,
    Status,
)


class RegisterUser(Command[SignedIn], frozen=True, kw_only=True):
    """Make a customer's account and sign in; once by `user_id`, which the edge makes.

    Refuses `weak-password` and `email-taken`.
    """

    key = by("user_id")
    remembered = False
    user_id: UUID = msgspec.field(default_factory=new_id)
    email: str
    password: str
    first_name: str
    last_name: str
    client: str
    locale: str = "en"


class CreateAccount(Command[Done], frozen=True, kw_only=True):
    """Make an account of any role, for who sets up the shop; once by `user_id`.

    Give `password`, or `password_hash` as `hash_password` of actors.users makes it.
    Nothing is mailed. Refuses `email-taken`.
    """

    key = by("user_id")
    remembered = False
    user_id: UUID
    email: str
    password: str | None = None
    password_hash: str | None = None
    first_name: str
    last_name: str
    role: Role = Role.CUSTOMER
    verified: bool = True


class VerifyEmail(Command[Done], frozen=True, kw_only=True):
    """Prove an address by the mailed code; again with the same code: done again."""

    key = by("user_id")
    remembered = False
    user_id: UUID
    code: str


class ResendCode(Command[Done], frozen=True, kw_only=True):
    """Mail a new code to an address that is not verified; the old one is void."""

    key = by("user_id")
    remembered = False
    user_id: UUID


class LogIn(Command[SignedIn], frozen=True, kw_only=True):
    """Open a session; `invalid-credentials`, `too-many-tries`, `account-blocked`."""

    key = by("user_id")
    remembered = False
    user_id: UUID
    password: str
    client: str


class RefreshTokens(Command[SignedIn], frozen=True, kw_only=True):
    """Change a refresh token for the next one.

    The same client may ask again for some seconds with the same token and gets the
    same answer. Any other use of a used token ends the session: `token-reused`.
    """

    key = by("session_id")
    remembered = False
    session_id: UUID
    secret: str
    client: str


class LogOut(Command[Done], frozen=True, kw_only=True):
    """End one session and its tokens; the person's other sessions go on."""

    key = by("user_id")
    user_id: UUID
    session_id: UUID


class LogOutAll(Command[Done], frozen=True, kw_only=True):
    """End every session of a person."""

    key = by("user_id")
    user_id: UUID


class ForgotPassword(Command[Done], frozen=True, kw_only=True):
    """Mail a code that lets the holder of the address set a new password."""

    key = by("user_id")
    remembered = False
    user_id: UUID


class ResetPassword(Command[Done], frozen=True, kw_only=True):
    """Set a password by a mailed code; ends all sessions."""

    key = by("user_id")
    remembered = False
    user_id: UUID
    code: str
    new_password: str


class ChangePassword(Command[Done], frozen=True, kw_only=True):
    """Set a password by the current one; ends all sessions but `session_id`."""

    key = by("user_id")
    remembered = False
    user_id: UUID
    current_password: str
    new_password: str
    session_id: UUID
    client: str


class UpdateProfile(Command[Saved], frozen=True, kw_only=True):
    """Change names, phone and language; `expected_version` guards against overlap."""

    key = by("user_id")
    user_id: UUID
    first_name: str
    last_name: str
    phone: str | None
    locale: str
    expected_version: int | None = None


class AddAddress(Command[AddressAdded], frozen=True, kw_only=True):
    """Add to the address book; the first address is the default for both purposes."""

    key = by("user_id")
    user_id: UUID
    address_id: UUID
    address: Address
    default_shipping: bool = False
    default_billing: bool = False


class UpdateAddress(Command[Saved], frozen=True, kw_only=True):
    """Write an address anew; a default stays one until another address takes it."""

    key = by("user_id")
    user_id: UUID
    address_id: UUID
    address: Address
    default_shipping: bool = False
    default_billing: bool = False
    expected_version: int | None = None


class DeleteAddress(Command[Done], frozen=True, kw_only=True):
    """Remove an address; the newest that is left takes over as default."""

    key = by("user_id")
    user_id: UUID
    address_id: UUID
    expected_version: int | None = None


class ChangeRole(Command[Saved], frozen=True, kw_only=True):
    """Give a person another role; nobody changes their own."""

    key = by("user_id")
    user_id: UUID
    role: Role
    actor_id: UUID
    expected_version: int | None = None


class ChangeStatus(Command[Saved], frozen=True, kw_only=True):
    """Block a person, which ends all their sessions, or let them in again."""

    key = by("user_id")
    user_id: UUID
    status: Status
    actor_id: UUID
    expected_version: int | None = None
