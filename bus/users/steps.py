"""What users' own processes say to their shard; nobody else sends these."""

from datetime import datetime
from uuid import UUID

from bus.kit.messages import Command, by
from bus.kit.values import Done, Value
from bus.users.views import Purpose, Role, SignedIn


class SessionStart(Value, frozen=True, kw_only=True):
    """A session to open: its token is made before, its row only holds the hash."""

    session_id: UUID
    secret: str
    client: str


class AccountOpened(Value, frozen=True, kw_only=True):
    """The password that counts: of an account made before, the one it was made with."""

    password_hash: str | None


class LoginTry(Value, frozen=True, kw_only=True):
    """What a password is checked against; a locked one says for how long."""

    password_hash: str | None = None
    locked_seconds: int = 0


class TokenSwap(Value, frozen=True, kw_only=True):
    """The new pair; or none, and whether that was a used token, now ended."""

    signed_in: SignedIn | None = None
    reused: bool = False


class CodeIssued(Value, frozen=True, kw_only=True):
    """Whom the code is to be mailed to; nobody: it was not issued."""

    email: str | None = None
    first_name: str = ""
    locale: str = "en"
    expires_at: datetime | None = None


class CodeTry(Value, frozen=True, kw_only=True):
    """Whether a code was right, or was once, and whose it is.

    The new password must be unlike the person; `password_hash` is the present one's.
    """

    right: bool
    used: bool = False
    password_hash: str | None = None
    email: str = ""
    first_name: str = ""
    last_name: str = ""


class OpenAccount(Command[AccountOpened], frozen=True, kw_only=True):
    """Insert an account; the claim on `email` is taken with it."""

    key = by("user_id")
    remembered = False
    user_id: UUID
    email: str
    password_hash: str | None
    first_name: str
    last_name: str
    locale: str
    role: Role
    verified: bool
    mail_code: bool


class OpenSession(Command[SignedIn], frozen=True, kw_only=True):
    """Insert a session, if the password is still the one that was checked."""

    key = by("user_id")
    remembered = False
    user_id: UUID
    password_hash: str
    start: SessionStart


class TryLogin(Command[LoginTry], frozen=True, kw_only=True):
    """Count a try before the password is checked, so that no burst slips through."""

    key = by("user_id")
    remembered = False
    user_id: UUID
    client: str


class ForgetTries(Command[Done], frozen=True, kw_only=True):
    """Drop the counts of failed tries that no longer matter (a timer sends this)."""

    key = by("user_id")
    remembered = False
    user_id: UUID


class SwapToken(Command[TokenSwap], frozen=True, kw_only=True):
    """Put a session's next token in place of the one presented."""

    key = by("session_id")
    remembered = False
    session_id: UUID
    secret: str
    client: str


class ExpireSession(Command[Done], frozen=True, kw_only=True):
    """Drop a session that ended or was not refreshed in time (a timer sends this)."""

    key = by("session_id")
    remembered = False
    session_id: UUID


class SendCode(Command[Done], frozen=True, kw_only=True):
    """Make a code and have it mailed; to nobody when the id is nobody's."""

    key = by("user_id")
    user_id: UUID
    purpose: Purpose


class IssueCode(Command[CodeIssued], frozen=True, kw_only=True):
    """Keep the hash of a new code; `issue_id` makes it count once."""

    key = by("user_id")
    remembered = False
    user_id: UUID
    purpose: Purpose
    issue_id: UUID
    code: str


class CodeSent(Command[Done], frozen=True, kw_only=True):
    """Ends the mailing of a code: messaging has it."""

    key = by("user_id")
    remembered = False
    user_id: UUID
    purpose: Purpose


class TryCode(Command[CodeTry], frozen=True, kw_only=True):
    """Count a try of a code and say whether it is right; a right one is not used up."""

    key = by("user_id")
    remembered = False
    user_id: UUID
    purpose: Purpose
    code: str


class ConfirmEmail(Command[CodeTry], frozen=True, kw_only=True):
    """Count a try and, when the code is right, mark the address as verified."""

    key = by("user_id")
    remembered = False
    user_id: UUID
    code: str


class SetPassword(Command[Done], frozen=True, kw_only=True):
    """Write a password and end the sessions, if what allowed it still holds.

    That is `old_hash`, the password that was checked, or `code`, which is used up.
    `kept_session_id` goes on, if there is one.
    """

    key = by("user_id")
    remembered = False
    user_id: UUID
    new_hash: str
    old_hash: str | None = None
    code: str | None = None
    kept_session_id: UUID | None = None


class MailPasswordChanged(Command[Done], frozen=True, kw_only=True):
    """Tell a person by mail that their password is another one (a timer sends this)."""

    key = by("user_id")
    user_id: UUID
