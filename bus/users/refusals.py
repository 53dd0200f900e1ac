"""How users says no."""

from bus.kit.refusals import FieldError, Refusal, RefusalKind, conflict, invalid


def email_taken() -> Refusal:
    """The address has an account already."""
    detail = "This address has an account already."
    return conflict("email-taken", detail, FieldError("email", "taken", detail))


def weak_password(*errors: FieldError) -> Refusal:
    """The password is too short, too well known or too close to the person."""
    return invalid("weak-password", "Choose a password that is hard to guess.", *errors)


def invalid_code() -> Refusal:
    """Wrong, expired, used up or never sent: the asker is not told which."""
    detail = "The code is wrong or no longer valid."
    return invalid("invalid-code", detail, FieldError("code", "invalid-code", detail))


def invalid_credentials() -> Refusal:
    """Wrong password or unknown address: the asker is not told which."""
    detail = "The address or the password is wrong."
    return Refusal(RefusalKind.UNAUTHENTICATED, "invalid-credentials", detail)


def too_many_tries(retry_after_seconds: int) -> Refusal:
    """Too many wrong passwords for this account from this address."""
    return Refusal(
        RefusalKind.TOO_MANY,
        "too-many-tries",
        "Too many failed tries. Wait, or set a new password.",
        retry_after_seconds=retry_after_seconds,
    )


def account_blocked() -> Refusal:
    """The password is right, but an administrator has blocked the account."""
    return Refusal(RefusalKind.FORBIDDEN, "account-blocked", "This account is blocked.")


def invalid_token() -> Refusal:
    """The refresh token names no living session."""
    detail = "Sign in again."
    return Refusal(RefusalKind.UNAUTHENTICATED, "invalid-token", detail)


def token_reused() -> Refusal:
    """A used refresh token came again: its session has been ended."""
    detail = "This token has been used already. Its session is over: sign in again."
    return Refusal(RefusalKind.UNAUTHENTICATED, "token-reused", detail)


def not_configured() -> Refusal:
    """No outside issuer is set: people sign in with a password."""
    detail = "Signing in with an outside account is not set up in this shop."
    return Refusal(RefusalKind.NOT_FOUND, "sign-in-not-configured", detail)


def invalid_state() -> Refusal:
    """The answer is not to a sign-in that this browser began, or it came before."""
    detail = "This sign-in was not begun here, has expired or is over. Begin again."
    return invalid("invalid-state", detail, FieldError("state", "invalid", detail))


def sign_in_refused(
    detail: str = "The issuer does not vouch for you. Begin again.",
) -> Refusal:
    """The issuer said no, or what it said cannot be believed."""
    return Refusal(RefusalKind.UNAUTHENTICATED, "sign-in-refused", detail)


def email_not_verified() -> Refusal:
    """A stranger's identity whose issuer has not verified an address for it."""
    return Refusal(
        RefusalKind.FORBIDDEN,
        "email-not-verified",
        "Verify your address with the issuer first, or register with a password.",
    )


def identity_elsewhere() -> Refusal:
    """The identity or its address belongs to another account by now."""
    return conflict("identity-elsewhere", "Sign in again.")


def own_account() -> Refusal:
    """Nobody changes their own role or status, not even by mistake."""
    return conflict("own-account", "Another administrator must do this.")


def last_administrator() -> Refusal:
    """Without an administrator nobody could ever make one again."""
    detail = "Make somebody else an administrator first."
    return conflict("last-administrator", detail)


def too_many_addresses(count_max: int) -> Refusal:
    """The address book is full."""
    return conflict("too-many-addresses", f"At most {count_max} addresses are kept.")
