"""Keyed hashes and sealed texts: what only this shop can make and read.

Both go by `SOUK_ENCRYPTION_KEYS`: the first key makes, each of them is understood, so
that a new one can be put first while codes and sign-ins of the old one are out.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterator
from uuid import UUID

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from bus.kit.values import Value

SEALED_CHARACTERS_MAX = 2_000


class Pepper:
    """Keyed hashes of values that are too short to be hashed without a key."""

    def __init__(self, keys: str) -> None:
        self._keys = [hashlib.sha256(key.encode()).digest() for key in _each(keys)]

    def hash(self, *parts: object) -> bytes:
        """32 bytes that nobody without the key can find the parts of."""
        return self.hashes(*parts)[0]

    def hashes(self, *parts: object) -> list[bytes]:
        """The same with each key; the one that counts now comes first."""
        text = "\x1f".join(str(part) for part in parts).encode()
        return [
            hashlib.blake2b(text, key=key, digest_size=32).digest()
            for key in self._keys
        ]

    def matches(self, hashed: bytes, *parts: object) -> bool:
        """Whether one of the keys makes this hash of the parts."""
        return any(hmac.compare_digest(hashed, each) for each in self.hashes(*parts))

    def nobody(self, email: str) -> UUID:
        """The id that an unknown address is treated under; nobody has it."""
        return UUID(bytes=self.hash("nobody", email)[:16])


class Attempt(Value, frozen=True, kw_only=True):
    """A sign-in with an issuer on its way through the browser; seconds since 1970."""

    state: str
    nonce: str
    verifier: str
    expires_at: float


class Seal:
    """Encrypts and authenticates what a browser carries for us."""

    def __init__(self, keys: str) -> None:
        derived = (
            hashlib.sha256(b"souk sign-in" + key.encode()).digest()
            for key in _each(keys)
        )
        self._fernet = MultiFernet(
            [Fernet(base64.urlsafe_b64encode(key)) for key in derived]
        )

    def seal(self, attempt: Attempt) -> str:
        """An attempt as a text for a cookie."""
        return self._fernet.encrypt(msgspec.json.encode(attempt)).decode()

    def open(self, sealed: str) -> Attempt | None:
        """The attempt; None for a text that this shop has not sealed."""
        if len(sealed) > SEALED_CHARACTERS_MAX or not sealed.isascii():
            return None
        try:
            return msgspec.json.decode(self._fernet.decrypt(sealed), type=Attempt)
        except (InvalidToken, msgspec.DecodeError):
            return None


def _each(keys: str) -> Iterator[str]:
    """The keys of a setting; one that is empty is a key all the same (in tests)."""
    yield from (key.strip() for key in keys.split(","))
