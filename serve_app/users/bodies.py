"""What requests to users say, and what signing in answers."""

import re
from typing import Annotated
from uuid import UUID

import msgspec
from pydantic import AfterValidator, Field

from bus.kit.values import Address
from bus.users import AddressAdded, AddressView, Role, SignedIn, Status, UserView
from serve_app.kit.bodies import AddressBody, Body, Email, Line, Phone
from serve_app.kit.identity import access_token_seconds, sign_access_token

PASSWORD_MAX = 1_024

_REFRESH_TOKEN = re.compile(
    r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.([A-Za-z0-9_-]{43})"
)


def _well_formed(password: str) -> str:
    """Lone surrogates cannot be hashed, and no keyboard makes a NUL."""
    try:
        password.encode()
    except UnicodeEncodeError:
        raise ValueError("Not a text") from None
    if "\x00" in password:
        raise ValueError("NUL is not allowed")
    return password


Password = Annotated[
    str, Field(min_length=1, max_length=PASSWORD_MAX), AfterValidator(_well_formed)
]
Code = Annotated[str, Field(pattern=r"^[0-9]{6}$")]
RefreshToken = Annotated[str, Field(min_length=1, max_length=200)]
Locale = Annotated[str, Field(max_length=16, pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]+)*$")]


class RegisterUserBody(Body):
    """A new customer; what else an account has is not the customer's to say."""

    email: Email
    password: Password
    first_name: Line
    last_name: Line


class VerifyEmailBody(Body):
    """The code that was mailed."""

    email: Email
    code: Code


class EmailBody(Body):
    """An address that something is mailed to, if it is known."""

    email: Email


class LogInBody(Body):
    """An address and its password."""

    email: Email
    password: Password


class RefreshTokensBody(Body):
    """The refresh token of the last answer."""

    refresh_token: RefreshToken


class ResetPasswordBody(Body):
    """The mailed code and the password that it sets."""

    email: Email
    code: Code
    new_password: Password


class ChangePasswordBody(Body):
    """The password as it is, and as it shall be."""

    current_password: Password
    new_password: Password


class ProfileBody(Body):
    """What a person says about themselves; absent optional fields are cleared."""

    first_name: Line
    last_name: Line
    phone: Phone | None = None
    locale: Locale = "en"


class AddressEntryBody(AddressBody):
    """An entry of the address book."""

    default_shipping: bool = False
    default_billing: bool = False

    def address(self) -> Address:
        """The address alone."""
        plain = self.model_dump(exclude={"default_shipping", "default_billing"})
        return Address(**plain)

    def entry(self, added: AddressAdded) -> AddressView:
        """The entry as it was added."""
        return AddressView(
            **msgspec.structs.asdict(self.address()),
            id=added.address_id,
            default_shipping=added.default_shipping,
            default_billing=added.default_billing,
            version=added.version,
            created_at=added.created_at,
            updated_at=added.created_at,
        )


class RoleBody(Body):
    """What a person may do from now on."""

    role: Annotated[Role, Field(strict=False)]


class StatusBody(Body):
    """Whether a person may sign in from now on."""

    status: Annotated[Status, Field(strict=False)]


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """A session: the person and a pair of tokens; `expires_in` is in seconds."""

    user: UserView
    access_token: str
    refresh_token: str
    token_type: str
    expires_in: int


def session_view(signed_in: SignedIn) -> SessionView:
    """The session with an access token that is signed here, at the edge."""
    user = signed_in.user
    return SessionView(
        user=user,
        access_token=sign_access_token(
            user.id, user.role, signed_in.epoch, signed_in.session_id
        ),
        refresh_token=signed_in.refresh_token,
        token_type="Bearer",  # noqa: S106 - a kind of token
        expires_in=access_token_seconds(),
    )


def parts_of(refresh_token: str) -> tuple[UUID, str] | None:
    """Session id and secret of a refresh token; None for what cannot be one."""
    found = _REFRESH_TOKEN.fullmatch(refresh_token)
    return (UUID(found[1]), found[2]) if found else None
