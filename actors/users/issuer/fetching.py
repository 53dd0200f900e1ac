"""Calls to an issuer: bounded in time, size and number, never redirected."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import aiohttp
import msgspec

CALL_SECONDS_MAX = 3.0
CALLS_MAX = 16
BODY_BYTES_MAX = 256 << 10
URL_MAX = 2_000
LOOPBACK = ("127.0.0.1", "::1", "localhost")
_MAX_AGE = re.compile(r"(?:^|[,\s])max-age=(\d{1,9})(?:$|[,\s])")


class Failing(Exception):
    """The issuer does not answer, or with something that cannot be used."""


class Silent(Failing):
    """The issuer did not answer in time."""


class Answered(NamedTuple):
    """An answer's status and JSON, and for how long it may be kept."""

    status: int
    body: Any
    age_seconds_max: int


class Fetch:
    """One issuer's connections. Nothing is logged: bodies hold codes and tokens."""

    def __init__(self, *, plain: bool) -> None:
        # Only an issuer on this machine may itself be without TLS, and name such.
        self._plain = plain
        self._session: aiohttp.ClientSession | None = None

    async def get(self, url: str) -> Answered:
        """What is at an address; raises Failing."""
        return await self._call("GET", url)

    async def post(
        self, url: str, form: Mapping[str, str], headers: Mapping[str, str]
    ) -> Answered:
        """The answer to a form; raises Failing."""
        return await self._call("POST", url, data=form, headers=headers)

    async def close(self) -> None:
        """End all connections."""
        if self._session is not None:
            await self._session.close()

    def check(self, url: str) -> str:
        """An address that may be called; raises Failing for another."""
        parts = urlsplit(url)
        local = parts.scheme == "http" and parts.hostname in LOOPBACK
        if (
            len(url) > URL_MAX
            or not parts.hostname
            or not (parts.scheme == "https" or (local and self._plain))
            or parts.username is not None
            or parts.fragment
        ):
            raise Failing("an address that is not safe to call")
        return url

    async def _call(self, method: str, url: str, **more: Any) -> Answered:
        self.check(url)
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CALLS_MAX),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        try:
            async with self._session.request(
                method,
                url,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=CALL_SECONDS_MAX),
                **more,
            ) as answer:
                body = msgspec.json.decode(await _read(answer))
                return Answered(answer.status, body, _age_of(answer))
        except TimeoutError:
            raise Silent from None
        except (aiohttp.ClientError, OSError, ValueError, msgspec.DecodeError) as error:
            raise Failing(type(error).__name__) from None


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    read = bytearray()
    async for chunk in answer.content.iter_any():
        read += chunk
        if len(read) > BODY_BYTES_MAX:
            raise Failing("the answer is too long")
    return bytes(read)


def _age_of(answer: aiohttp.ClientResponse) -> int:
    """The `max-age` of an answer (RFC 9111 §5.2.2.1); 0 where it names none."""
    said = answer.headers.get("Cache-Control", "").lower()
    found = _MAX_AGE.search(said)
    return 0 if found is None or "no-store" in said else int(found[1])
