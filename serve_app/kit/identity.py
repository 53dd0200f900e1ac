"""Access tokens: EdDSA-signed, short-lived, verified without asking anybody.

RFC 8725 is followed: one algorithm, known keys only, issuer, audience and expiry are
checked, and a key is found by `kid` among our own, never by what a token brings.
"""

import hmac
import time
from collections import OrderedDict
from contextvars import ContextVar
from uuid import UUID

import jwt
import msgspec

from bus.kit.settings import Settings
from serve_app.kit.keys import ALGORITHM, Keys, base64url, text_of
from serve_app.kit.problems import Problem, unauthenticated

AUDIENCE = "souk"
TOKEN_CHARACTERS_MAX = 2_048
VERIFIED_MAX = 20_000
ROLES = frozenset({"CUSTOMER", "SELLER", "ADMIN"})
_REQUIRED = ["iss", "aud", "sub", "iat", "exp", "role", "epoch", "sid"]


class Identity(msgspec.Struct, frozen=True):
    """What a valid access token says; `expires_at` is in seconds since the epoch."""

    user_id: UUID
    role: str
    epoch: int
    session_id: UUID
    expires_at: float
    key_id: str = ""


class Tokens:
    """What the shop's keys sign, and what they verify."""

    def __init__(
        self, keys: Keys, *, issuer: str, life_seconds: int, guest_secret: bytes
    ) -> None:
        self.keys = keys
        self.issuer = issuer
        self.life_seconds = life_seconds
        self._guest_secret = guest_secret
        # Verifying costs as much as the rest of a request; a token is seen many times.
        self._verified: OrderedDict[str, Identity] = OrderedDict()

    @classmethod
    def of(cls, settings: Settings) -> "Tokens":
        """As the settings want it; raises SettingsError for keys that are none."""
        # A guest's token must stay what it was while keys turn: the oldest makes it.
        secrets = settings.encryption_keys or text_of(settings)
        oldest = secrets.strip(" ,").rpartition(",")[2].strip()
        return cls(
            Keys.of(settings),
            issuer=issuer_of(settings),
            life_seconds=settings.access_token_minutes * 60,
            guest_secret=hmac.digest(oldest.encode(), b"souk guest tokens", "sha256"),
        )

    def sign(self, user_id: UUID, role: str, epoch: int, session_id: UUID) -> str:
        """An access token for a person's session, valid from now for its whole life."""
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": str(user_id),
            "iat": now,
            "exp": now + self.life_seconds,
            "role": role,
            "epoch": epoch,
            "sid": str(session_id),
        }
        key_id, key = self.keys.signing()
        return jwt.encode(claims, key, ALGORITHM, headers={"kid": key_id})

    def guest_token(self, command_id: UUID) -> str:
        """A secret of 256 bits that the same command gets again, and nobody guesses."""
        return base64url(hmac.digest(self._guest_secret, command_id.bytes, "sha256"))

    def verify(self, token: str) -> Identity:
        """What `token` says; raises Problem 401 unless it is ours and still valid."""
        known = self._verified.get(token)
        if known is None or known.key_id not in self.keys:
            known = self._decode(token)
            self._verified[token] = known
            if len(self._verified) > VERIFIED_MAX:
                self._verified.popitem(last=False)
        elif known.expires_at <= time.time():
            del self._verified[token]
            raise unauthenticated("token-expired", "The access token has expired.")
        return known

    def _decode(self, token: str) -> Identity:
        if len(token) > TOKEN_CHARACTERS_MAX:
            raise _bad_token()
        try:
            key_id = jwt.get_unverified_header(token).get("kid", "")
            key = self.keys.public(key_id)
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=self.issuer,
                options={"require": _REQUIRED, "strict_aud": True},
            )
            identity = Identity(
                user_id=UUID(claims["sub"]),
                role=claims["role"],
                epoch=claims["epoch"],
                session_id=UUID(claims["sid"]),
                expires_at=claims["exp"],
                key_id=key_id,
            )
        except jwt.ExpiredSignatureError:
            raise unauthenticated(
                "token-expired", "The access token has expired."
            ) from None
        except (jwt.PyJWTError, KeyError, ValueError, TypeError, AttributeError):
            raise _bad_token() from None
        if identity.role not in ROLES or type(identity.epoch) is not int:
            raise _bad_token()
        return identity


TOKENS: ContextVar[Tokens] = ContextVar("souk_tokens")
"""The keys of the gateway that the running request came to."""


def sign_access_token(user_id: UUID, role: str, epoch: int, session_id: UUID) -> str:
    """An access token for a person's session, made inside a request."""
    return TOKENS.get().sign(user_id, role, epoch, session_id)


def guest_token(command_id: UUID) -> str:
    """The token that opens what a guest's command made; only its hash is stored."""
    return TOKENS.get().guest_token(command_id)


def access_token_seconds() -> int:
    """How long an access token lives: the `expires_in` of an answer."""
    return TOKENS.get().life_seconds


def over_tls() -> bool:
    """Whether the shop's customers reach it by https, as its public address says."""
    return TOKENS.get().issuer.startswith("https:")


def issuer_of(settings: Settings) -> str:
    """Who the shop's tokens say has made them."""
    return settings.public_url or f"http://127.0.0.1:{settings.http_port}"


def bearer(authorization: str) -> str:
    """The token of an Authorization header; raises Problem 401 for another scheme."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise _bad_token()
    return token.strip()


def _bad_token() -> Problem:
    return unauthenticated("invalid-token", "The access token is not acceptable.")
