"""Stripe's own library on our connections: bounded, and never trying by itself."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import stripe
from multidict import CIMultiDict

from actors.payments.calls import Calls
from actors.payments.lines import NoAnswer


class Transport(stripe.HTTPClient):
    """Carries the library's requests; its retries are off, asking again is ours."""

    name = "aiohttp"

    def __init__(self, calls: Calls, timeout_seconds: float) -> None:
        super().__init__()
        self._calls = calls
        self._timeout_seconds = timeout_seconds

    async def request_async(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        post_data: Any = None,
    ) -> tuple[bytes, int, CIMultiDict[str]]:
        """One request; raises APIConnectionError when there is no usable answer."""
        body = post_data.encode() if isinstance(post_data, str) else post_data
        try:
            answer = await self._calls.call(
                method, url, headers, body or None, self._timeout_seconds
            )
        except NoAnswer as error:
            no_answer: Any = stripe.APIConnectionError  # untyped in the library
            raise no_answer(str(error)) from None
        # The library shows such a notice to a terminal; a shard has none.
        answer.headers.popall("Stripe-Notice", None)
        return answer.body, answer.status, answer.headers

    async def sleep_async(self, secs: float) -> None:
        """Between tries, of which there is one."""
        await asyncio.sleep(secs)

    async def close_async(self) -> None:
        """End all connections."""
        await self._calls.close()


def client_of(
    secret_key: str, url: str, calls: Calls, timeout_seconds: float
) -> stripe.StripeClient:
    """Stripe's client; it tells Stripe of no earlier call and logs no body."""
    stripe.enable_telemetry = False
    logging.getLogger("stripe").setLevel(logging.WARNING)
    return stripe.StripeClient(
        secret_key,
        base_addresses={"api": url},
        max_network_retries=0,
        http_client=Transport(calls, timeout_seconds),
    )
