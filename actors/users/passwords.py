"""Passwords: hashed with bcrypt in a few threads, outside every transaction."""

import asyncio
import base64
import functools
import hashlib
import hmac
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pwdlib.hashers.bcrypt import BcryptHasher

from bus.kit.refusals import Unavailable

THREADS_MAX = 2
WAITING_MAX = 64
SECRET_BYTES = 32

Result = TypeVar("Result")


class Passwords:
    """Hashes and checks passwords; each costs 2^`rounds` steps of bcrypt.

    More than `WAITING_MAX` at once raise Unavailable, so that a burst of sign-ins
    cannot take every core for minutes.
    """

    def __init__(self, rounds: int) -> None:
        self._hasher = BcryptHasher(rounds=rounds)
        self._threads = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="bcrypt")
        self._waiting = 0
        self._decoy = self._threads.submit(self._hasher.hash, secrets.token_hex())

    async def hash(self, password: str) -> str:
        """A new hash, with a salt of its own."""
        return await self._in_thread(self._hasher.hash, prepared(password))

    async def verify(self, password: str, password_hash: str | None) -> bool:
        """Whether the hash is the password's; with no hash False, in the same time."""
        work = functools.partial(self._verify, password_hash)
        return await self._in_thread(work, prepared(password)) and bool(password_hash)

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _verify(self, password_hash: str | None, password: str) -> bool:
        return self._hasher.verify(password, password_hash or self._decoy.result())

    async def _in_thread(self, work: Callable[[str], Result], text: str) -> Result:
        if self._waiting >= WAITING_MAX:
            raise Unavailable("too many passwords to check")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, work, text)
        finally:
            self._waiting -= 1


def prepared(password: str) -> str:
    """A password of any length as 44 characters: bcrypt takes 72 bytes and no NUL."""
    return base64.b64encode(hashlib.sha256(password.encode()).digest()).decode()


def new_secret() -> str:
    """A 256-bit secret as base64url."""
    return secrets.token_urlsafe(SECRET_BYTES)


def next_secret(secret: str, nonce: bytes) -> str:
    """The secret that follows `secret`: the same again for the same nonce.

    Neither the token alone nor the database alone (which holds the nonce, and only a
    hash of the token) is enough to work it out.
    """
    digest = hmac.digest(secret.encode(), nonce, "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def secret_hash(secret: str) -> bytes:
    """What is stored of a 256-bit secret; it needs no salt and no slowness."""
    return hashlib.sha256(secret.encode()).digest()
