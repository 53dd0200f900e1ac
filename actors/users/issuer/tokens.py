"""ID tokens: what they must say before a person is believed to be their subject.

OpenID Connect Core 1.0 §3.1.3.7, with RFC 8725: the algorithm is one of ours, and the
key one of the issuer's, whatever the token asks for.
"""

import hmac
import re
import time
from typing import Any

import jwt
from email_validator import EmailNotValidError, validate_email

from actors.users.issuer.keys import ALGORITHMS
from bus.kit.values import Value

TOKEN_CHARACTERS_MAX = 16_384
SUBJECT_MAX = 255
EMAIL_MAX = 254
NAME_MAX = 200
AGE_SECONDS_MAX = 600
CLOCK_SECONDS_MAX = 60
"""How far the issuer's clock may be ahead of ours."""

_REQUIRED = ["iss", "sub", "aud", "exp", "iat", "nonce"]
_LOCALE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,1}")


class NotProven(Exception):
    """What the issuer answered does not show who the person is."""


class Proven(Value, frozen=True, kw_only=True):
    """Who an issuer says has signed in; `email` only where it has verified it."""

    issuer: str
    subject: str
    email: str | None
    first_name: str
    last_name: str
    locale: str


def key_of(token: Any) -> tuple[str | None, str]:
    """Key id and algorithm that a token names; raises NotProven for bad ones."""
    if not isinstance(token, str) or len(token) > TOKEN_CHARACTERS_MAX:
        raise NotProven("no ID token")
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError:
        raise NotProven("malformed") from None
    algorithm, key_id = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS or "crit" in header:
        raise NotProven("algorithm")
    return key_id, str(algorithm)


def verify(
    token: str, key: Any, algorithm: str, *, issuer: str, client_id: str, nonce: str
) -> Proven:
    """What a token says, if it is the issuer's, for us, now, and for this sign-in."""
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=client_id,
            issuer=issuer,
            options={"require": _REQUIRED, "verify_iat": False, "verify_nbf": False},
        )
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise NotProven(type(error).__name__) from None
    _check_party(claims, client_id)
    _check_time(claims)
    said = claims["nonce"]
    if not isinstance(said, str) or not hmac.compare_digest(
        said.encode(errors="replace"), nonce.encode()
    ):
        raise NotProven("nonce")
    return _proven(claims)


def _check_party(claims: dict[str, Any], client_id: str) -> None:
    """A token for several must say that it was made for us; and never for others."""
    audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    party = claims.get("azp", client_id if len(audiences) == 1 else None)
    if party != client_id:
        raise NotProven("authorised party")


def _check_time(claims: dict[str, Any]) -> None:
    """Made lately: one older than a sign-in lives cannot be its answer."""
    now, made_at, from_at = time.time(), claims["iat"], claims.get("nbf", 0)
    for moment in (made_at, from_at):
        if isinstance(moment, bool) or not isinstance(moment, int | float):
            raise NotProven("time")
    if made_at < now - AGE_SECONDS_MAX - CLOCK_SECONDS_MAX:
        raise NotProven("too old")
    if max(made_at, from_at) > now + CLOCK_SECONDS_MAX:
        raise NotProven("from the future")


def _proven(claims: dict[str, Any]) -> Proven:
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_MAX:
        raise NotProven("subject")
    if not subject.isprintable():
        raise NotProven("subject")
    email = _email(claims)
    local = (email or "").partition("@")[0]
    whole = _name(claims.get("name"))
    first = _name(claims.get("given_name")) or whole or local
    locale = str(claims.get("locale"))
    return Proven(
        issuer=claims["iss"],
        subject=subject,
        email=email,
        first_name=first,
        last_name=_name(claims.get("family_name")),
        locale=locale if _LOCALE.fullmatch(locale) else "en",
    )


def _email(claims: dict[str, Any]) -> str | None:
    """The address, if the issuer says that it is verified (some say so as text)."""
    address = claims.get("email")
    if claims.get("email_verified") not in (True, "true"):
        return None
    if not isinstance(address, str) or len(address) > EMAIL_MAX:
        return None
    try:
        found = validate_email(address, check_deliverability=False)
    except EmailNotValidError:
        return None
    return found.normalized.lower()


def _name(value: Any) -> str:
    """A name on one line; empty for what is none."""
    if not isinstance(value, str):
        return ""
    signs = "".join(sign if sign.isprintable() else " " for sign in value)
    return " ".join(signs.split())[:NAME_MAX]
