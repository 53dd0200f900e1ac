"""PayPal's REST API: an access token, and calls that bear it."""

import asyncio
import base64
from collections.abc import Callable
from typing import Any
from uuid import UUID

import msgspec

from actors.payments.calls import Answered, Calls
from actors.payments.lines import NoAnswer
from bus.kit.values import Value

EARLIER_SECONDS = 60
"""How long before its end an access token is not used any more."""

UNAUTHORIZED = 401
_OK = 200


class AccessToken(Value, frozen=True, kw_only=True):
    """What PayPal gives for the client's id and secret."""

    access_token: str
    expires_in: int


class Access:
    """Calls PayPal, with a token that is fetched once for all that need it."""

    def __init__(
        self,
        url: str,
        client_id: str,
        client_secret: str,
        log: Any,
        monotonic: Callable[[], float],
    ) -> None:
        self._url = url.rstrip("/")
        self._basic = base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
        self._log = log
        self._monotonic = monotonic
        self._calls = Calls(url)
        self._fetching = asyncio.Lock()
        self._token = ""
        self._until = 0.0

    async def call(
        self,
        method: str,
        path: str,
        timeout_seconds: float,
        *,
        key: UUID | None = None,
        body: Any = None,
    ) -> Answered:
        """The answer, whatever its status; raises NoAnswer when there is none in time.

        `key` makes it act once. A 401 says that the token was withdrawn and nothing
        was done: it is asked once more with a new one.
        """
        try:
            async with asyncio.timeout(timeout_seconds):
                token = await self._bearer(timeout_seconds)
                answer = await self._send(
                    method, path, timeout_seconds, token, key, body
                )
                if answer.status != UNAUTHORIZED:
                    return answer
                self._forget(token)
                token = await self._bearer(timeout_seconds)
                return await self._send(method, path, timeout_seconds, token, key, body)
        except TimeoutError:
            raise NoAnswer("no answer in time") from None

    async def close(self) -> None:
        """End all connections."""
        await self._calls.close()

    async def _send(
        self,
        method: str,
        path: str,
        timeout_seconds: float,
        token: str,
        key: UUID | None,
        body: Any,
    ) -> Answered:
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json",
            "Prefer": "return=representation",
        }
        if key is not None:
            headers["PayPal-Request-Id"] = str(key)
        data = None
        if method != "GET":
            headers["Content-Type"] = "application/json"
            data = msgspec.json.encode(body) if body is not None else b""
        return await self._calls.call(
            method, self._url + path, headers, data, timeout_seconds
        )

    async def _bearer(self, timeout_seconds: float) -> str:
        """The access token; a new one before the old one ends."""
        async with self._fetching:
            if not self._token or self._monotonic() >= self._until:
                await self._fetch(timeout_seconds)
            return self._token

    def _forget(self, token: str) -> None:
        """Fetch a new token at the next call, unless somebody has already."""
        if self._token == token:
            self._token = ""

    async def _fetch(self, timeout_seconds: float) -> None:
        asked = self._monotonic()
        answer = await self._calls.call(
            "POST",
            f"{self._url}/v1/oauth2/token",
            {
                "Authorization": f"Basic {self._basic}",
                "Content-Type": "application/x-www-form-urlencoded",
            },
            b"grant_type=client_credentials",
            timeout_seconds,
        )
        if answer.status != _OK:
            self._log.error(
                "provider-refuses-us", provider="paypal", status=answer.status
            )
            raise NoAnswer("no access token")
        try:
            given = msgspec.json.decode(answer.body, type=AccessToken)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise NoAnswer("an unreadable access token") from None
        self._token = given.access_token
        self._until = asked + given.expires_in - EARLIER_SECONDS
