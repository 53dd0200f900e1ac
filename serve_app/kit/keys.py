"""The keys that sign access tokens: one signs, all verify, and they turn live."""

import asyncio
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from bus.kit import logs
from bus.kit.settings import Settings, SettingsError

ALGORITHM = "EdDSA"
KEYS_MAX = 16
FILE_CHARACTERS_MAX = 4_096
LOOK_SECONDS = 1.0
SETTLE_SECONDS = 10.0
"""How long a new key only verifies: by then every replica has read the file."""

_log = logs.get("gateway")


class Keys:
    """The shop's keys, from the text of SOUK_JWT_KEYS: the first one signs.

    After a `turn` a new first key signs only once it has settled, so that no replica
    meets a token of a key that it has not read yet; a key that is gone is gone at once.
    """

    def __init__(self, text: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._private = _parse(text)
        self._signing_id = next(iter(self._private))
        self._next_id = self._signing_id
        self._next_at = 0.0

    @classmethod
    def of(cls, settings: Settings) -> "Keys":
        """The keys in the settings; raises SettingsError for ones that are none."""
        return cls(text_of(settings))

    def turn(self, text: str) -> None:
        """Go on with these keys; raises SettingsError, and then with the old ones."""
        private = _parse(text)
        first = next(iter(private))
        if first != self._next_id:
            self._next_id, self._next_at = first, self._clock() + SETTLE_SECONDS
        if self._signing_id not in private:
            self._signing_id = first
        self._private = private

    def signing(self) -> tuple[str, Ed25519PrivateKey]:
        """Id and key of the one that signs now."""
        if self._signing_id != self._next_id and self._clock() >= self._next_at:
            self._signing_id = self._next_id
        return self._signing_id, self._private[self._signing_id]

    def public(self, key_id: str) -> Ed25519PublicKey:
        """The key of this id; raises KeyError for none of ours."""
        return self._private[key_id].public_key()

    def __contains__(self, key_id: str) -> bool:
        """Whether tokens of this key count."""
        return key_id in self._private

    def jwks(self) -> dict[str, Any]:
        """The public keys as a JWK set (RFC 7517, RFC 8037)."""
        keys = [
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "x": base64url(key.public_key().public_bytes_raw()),
                "kid": key_id,
                "use": "sig",
                "alg": ALGORITHM,
            }
            for key_id, key in self._private.items()
        ]
        return {"keys": keys}


async def follow_keys(keys: Keys, settings: Settings) -> None:
    """Read SOUK_JWT_KEYS_FILE again and again; what cannot be read changes nothing."""
    read = failed = ""
    while True:
        try:
            text = await asyncio.to_thread(text_of, settings)
            if text != read:
                keys.turn(text)
                read = text
            failed = ""
        except SettingsError as error:
            if str(error) != failed:
                _log.error("keys not read", reason=str(error))
            failed = str(error)
        await asyncio.sleep(LOOK_SECONDS)


def text_of(settings: Settings) -> str:
    """The keys as they are written: in the file, if one is named, else in the setting.

    Raises SettingsError for a file that cannot be read.
    """
    if not settings.jwt_keys_file:
        return settings.jwt_keys
    try:
        with Path(settings.jwt_keys_file).open(encoding="ascii") as file:
            return file.read(FILE_CHARACTERS_MAX)
    except (OSError, ValueError) as error:
        reason = type(error).__name__
        raise SettingsError(f"SOUK_JWT_KEYS_FILE: {reason}") from None


def base64url(raw: bytes) -> str:
    """Bytes as base64url without padding (RFC 7515)."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _parse(text: str) -> dict[str, Ed25519PrivateKey]:
    """The keys by id, in their order."""
    seeds = [seed for part in text.split(",") if (seed := part.strip())]
    if not seeds:
        raise SettingsError("SOUK_JWT_KEYS is not set")
    if len(seeds) > KEYS_MAX:
        raise SettingsError(f"SOUK_JWT_KEYS: at most {KEYS_MAX} keys")
    try:
        keys = [
            Ed25519PrivateKey.from_private_bytes(
                urlsafe_b64decode(seed + "=" * (-len(seed) % 4))
            )
            for seed in seeds
        ]
    except ValueError:
        raise SettingsError(
            "SOUK_JWT_KEYS: each key is base64url of 32 bytes"
        ) from None
    return {_key_id(key.public_key()): key for key in keys}


def _key_id(key: Ed25519PublicKey) -> str:
    """The key's thumbprint (RFC 7638)."""
    members = (
        f'{{"crv":"Ed25519","kty":"OKP","x":"{base64url(key.public_bytes_raw())}"}}'
    )
    return base64url(sha256(members.encode()).digest())
