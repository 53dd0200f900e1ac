"""Access tokens: EdDSA-signed, short-lived, verified without asking anybody.

RFC 8725 is followed: one algorithm, known keys only, issuer, audience and expiry are
checked, and a key is found by `kid` among our own, never by what a token brings.
"""

import hmac
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from contextvars import ContextVar
from hashlib import sha256
from typing import Any
from uuid import UUID

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from bus.kit.settings import Settings, SettingsError
from serve_app.kit.problems import Problem, unauthenticated

AUDIENCE = "souk"
TOKEN_CHARACTERS_MAX = 2_048
VERIFIED_MAX = 20_000
ROLES = frozenset({"CUSTOMER", "SELLER", "ADMIN"})
_ALGORITHM = "EdDSA"
_REQUIRED = ["iss", "aud", "sub", "iat", "exp", "role", "epoch", "sid"]


class Identity(msgspec.Struct, frozen=True):
    """What a valid access token says; `expires_at` is in seconds since the epoch."""

    user_id: UUID
    role: str
    epoch: int
    session_id: UUID
    expires_at: float


class Tokens:
    """The shop's keys: the first one signs, all of them verify."""

    def __init__(self, seeds: list[bytes], *, issuer: str, life_seconds: int) -> None:
        if not seeds:
            raise SettingsError("SOUK_JWT_KEYS is not set")
        private = [Ed25519PrivateKey.from_private_bytes(seed) for seed in seeds]
        self._signing = private[0]
        self._public = {_key_id(key.public_key()): key.public_key() for key in private}
        self._signing_id = _key_id(self._signing.public_key())
        self.issuer = issuer
        self._secret = hmac.digest(seeds[0], b"souk guest tokens", "sha256")
        self.life_seconds = life_seconds
        # Verifying costs as much as the rest of a request; a token is seen many times.
        self._verified: OrderedDict[str, Identity] = OrderedDict()

    @classmethod
    def of(cls, settings: Settings) -> "Tokens":
        """The keys in the settings; raises SettingsError for ones that are none."""
        try:
            seeds = [
                urlsafe_b64decode(seed.strip() + "=" * (-len(seed.strip()) % 4))
                for seed in settings.jwt_keys.split(",")
                if seed.strip()
            ]
            return cls(
                seeds,
                issuer=issuer_of(settings),
                life_seconds=settings.access_token_minutes * 60,
            )
        except SettingsError:
            raise
        except ValueError:
            raise SettingsError(
                "SOUK_JWT_KEYS: each key is base64url of 32 bytes"
            ) from None

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
        return jwt.encode(
            claims, self._signing, _ALGORITHM, headers={"kid": self._signing_id}
        )

    def guest_token(self, command_id: UUID) -> str:
        """A secret of 256 bits that the same command gets again, and nobody guesses."""
        return _base64url(hmac.digest(self._secret, command_id.bytes, "sha256"))

    def verify(self, token: str) -> Identity:
        """What `token` says; raises Problem 401 unless it is ours and still valid."""
        known = self._verified.get(token)
        if known is None:
            known = self._decode(token)
            self._verified[token] = known
            if len(self._verified) > VERIFIED_MAX:
                self._verified.popitem(last=False)
        elif known.expires_at <= time.time():
            del self._verified[token]
            raise unauthenticated("token-expired", "The access token has expired.")
        return known

    def jwks(self) -> dict[str, Any]:
        """The public keys as a JWK set (RFC 7517, RFC 8037)."""
        keys = [
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "x": _base64url(key.public_bytes_raw()),
                "kid": key_id,
                "use": "sig",
                "alg": _ALGORITHM,
            }
            for key_id, key in self._public.items()
        ]
        return {"keys": keys}

    def _decode(self, token: str) -> Identity:
        if len(token) > TOKEN_CHARACTERS_MAX:
            raise _bad_token()
        try:
            key = self._public[jwt.get_unverified_header(token).get("kid", "")]
            claims = jwt.decode(
                token,
                key,
                algorithms=[_ALGORITHM],
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


def _key_id(key: Ed25519PublicKey) -> str:
    """The key's thumbprint (RFC 7638)."""
    members = (
        f'{{"crv":"Ed25519","kty":"OKP","x":"{_base64url(key.public_bytes_raw())}"}}'
    )
    return _base64url(sha256(members.encode()).digest())


def _base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
