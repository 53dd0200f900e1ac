"""Calls to a provider over HTTP: bounded in time, size and number, never redirected."""

import ssl
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

import aiohttp
from multidict import CIMultiDict

from actors.payments.lines import NoAnswer

CALLS_MAX = 128
CONNECT_SECONDS_MAX = 5.0
BODY_BYTES_MAX = 4 << 20
"""A page of a hundred transactions with all that they hold is far smaller."""


class Answered(NamedTuple):
    """An answer, whatever its status."""

    status: int
    headers: CIMultiDict[str]
    body: bytes


class Calls:
    """One provider's connections.

    Nothing here is logged: addresses and bodies hold tokens.
    """

    def __init__(self, url: str) -> None:
        self._origin = urlsplit(url)[:2]
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CALLS_MAX),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=CONNECT_SECONDS_MAX, connect=None
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def call(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        timeout_seconds: float,
    ) -> Answered:
        """The answer; raises NoAnswer when there is none, or none that is usable."""
        if urlsplit(url)[:2] != self._origin:
            raise NoAnswer("another address than the provider's")
        try:
            async with self._session.request(
                method,
                url,
                headers=headers,
                data=body,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    total=timeout_seconds, sock_connect=CONNECT_SECONDS_MAX
                ),
            ) as response:
                read = await _read(response)
                return Answered(response.status, CIMultiDict(response.headers), read)
        except (
            aiohttp.ClientError,
            TimeoutError,
            OSError,
            ssl.SSLError,
            ValueError,
        ) as error:
            raise NoAnswer(type(error).__name__) from None

    async def close(self) -> None:
        """End all connections."""
        await self._session.close()


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The body, as far as it is not too long."""
    read = bytearray()
    async for chunk in response.content.iter_any():
        read += chunk
        if len(read) > BODY_BYTES_MAX:
            raise NoAnswer("the answer is too long")
    return bytes(read)
