"""What is said about signing in with an outside issuer (OpenID Connect)."""

import enum
from uuid import UUID

import msgspec

from bus.kit.addressing import new_id
from bus.kit.messages import Command, by
from bus.kit.values import Done, Value
from bus.users.steps import SessionStart
from bus.users.views import SignedIn


class IssuerTrouble(enum.StrEnum):
    """Why an issuer could not be asked: nothing was changed, begin again later."""

    UNAVAILABLE = "UNAVAILABLE"
    SILENT = "SILENT"


class SignInBegun(Value, frozen=True, kw_only=True):
    """Where the browser goes, and what it keeps (encrypted) until it comes back."""

    location: str = ""
    sealed: str = ""
    trouble: IssuerTrouble | None = None


class SignInEnd(Value, frozen=True, kw_only=True):
    """The session; or what kept the issuer from vouching for the person."""

    signed_in: SignedIn | None = None
    trouble: IssuerTrouble | None = None


class BeginSignIn(Command[SignInBegun], frozen=True, kw_only=True):
    """Make a sign-in with the issuer; nothing is stored until its answer comes."""

    key = by("attempt_id")
    remembered = False
    attempt_id: UUID = msgspec.field(default_factory=new_id)


class FinishSignIn(Command[SignInEnd], frozen=True, kw_only=True):
    """Take the issuer's answer, once; make or find the account and open a session.

    `state` and `sealed` are what the two ways through the browser brought: the address
    and the cookie. `issuer` is the answer's `iss` (RFC 9207). Refuses `invalid-state`,
    `sign-in-refused`, `email-not-verified`, `account-blocked`.
    """

    key = by("attempt_id")
    remembered = False
    attempt_id: UUID
    state: str
    sealed: str
    code: str
    issuer: str | None = None
    client: str


class UseSignIn(Command[Done], frozen=True, kw_only=True):
    """Use a sign-in up, before its code is spent; refuses one that was."""

    key = by("attempt_id")
    remembered = False
    attempt_id: UUID


class ForgetSignIn(Command[Done], frozen=True, kw_only=True):
    """Drop a used sign-in that has expired anyway (a timer sends this)."""

    key = by("attempt_id")
    remembered = False
    attempt_id: UUID


class NewPerson(Value, frozen=True, kw_only=True):
    """What an issuer says of a person; `email` is one that it has verified."""

    email: str
    first_name: str
    last_name: str
    locale: str


class EnterByIdentity(Command[SignedIn], frozen=True, kw_only=True):
    """Open a session for the person that an identity is, once by the session's id.

    With `email` the account of that address is theirs from now on; with `person` the
    account is made first. Refuses `identity-elsewhere` when another callback was
    quicker: then look again.
    """

    key = by("user_id")
    remembered = False
    user_id: UUID
    issuer: str
    subject: str
    email: str | None = None
    person: NewPerson | None = None
    start: SessionStart
