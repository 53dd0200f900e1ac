"""An issuer's signing keys (RFC 7517), kept for as long as it allows."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from actors.users.issuer.fetching import Answered, Failing, Fetch

ALGORITHMS = frozenset(
    {
        *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
        *("ES256", "ES384", "ES512", "EdDSA"),
    }
)
"""Signatures alone: a MAC would be made with what everybody can read."""

KEYS_MAX = 64
AGE_SECONDS_MAX = 3_600
REFETCH_SECONDS_MIN = 10
"""How soon an unknown key may have the set read again while it should be fresh."""
RSA_BITS_MIN = 2_048


class Keys:
    """The key set at `jwks_uri`."""

    def __init__(self, fetch: Fetch, clock: Callable[[], float]) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: list[dict[str, Any]] = []
        self._read_at = float("-inf")
        self._fresh_until = float("-inf")
        self._reading = asyncio.Lock()

    async def find(self, url: str, key_id: str | None, algorithm: str) -> Any:
        """The public key of a signature, None for an unknown one; raises Failing.

        A key that the set does not hold (any more) is unknown: the set is read anew
        when it is no longer fresh, and once for a new key's sake.
        """
        asked_at = self._clock()
        await self._refresh(url, lambda: asked_at >= self._fresh_until)
        found = self._among(key_id, algorithm)
        if found is None:
            oldest = asked_at - REFETCH_SECONDS_MIN
            await self._refresh(url, lambda: self._read_at <= oldest)
            found = self._among(key_id, algorithm)
        return found

    async def _refresh(self, url: str, wanted: Callable[[], bool]) -> None:
        async with self._reading:
            if wanted():
                began_at = self._clock()
                self._keep(await self._fetch.get(url), began_at)

    def _keep(self, answer: Answered, read_at: float) -> None:
        body = answer.body
        keys = body.get("keys") if isinstance(body, dict) else None
        if answer.status != 200 or not isinstance(keys, list) or len(keys) > KEYS_MAX:
            raise Failing("no key set")
        self._keys = [key for key in keys if isinstance(key, dict) and _signs(key)]
        self._read_at = read_at
        self._fresh_until = read_at + min(answer.age_seconds_max, AGE_SECONDS_MAX)

    def _among(self, key_id: str | None, algorithm: str) -> Any:
        """The key of that id; without an id the only one that could have signed."""
        fitting = [
            key
            for key in self._keys
            if key.get("alg", algorithm) == algorithm
            and (key_id is None or key.get("kid") == key_id)
        ]
        loaded = [each for key in fitting if (each := _load(key, algorithm))]
        return loaded[0] if len(loaded) == 1 else None


def _signs(key: dict[str, Any]) -> bool:
    """Whether a key may be used for signatures, and still now."""
    if key.get("kty") not in ("RSA", "EC", "OKP") or key.get("use", "sig") != "sig":
        return False
    operations = key.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        return False
    expires_at = key.get("exp")
    return not isinstance(expires_at, int | float) or expires_at > time.time()


def _load(key: dict[str, Any], algorithm: str) -> Any:
    """The key as cryptography knows it; None for one that is not of the algorithm."""
    try:
        public = jwt.PyJWK.from_dict(key, algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None
    if isinstance(public, RSAPublicKey) and public.key_size < RSA_BITS_MIN:
        return None
    return public
