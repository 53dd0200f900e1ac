"""The bench's goods: SKUs with more stock than any bench sells, made over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from scripts.benching.scenes import slug_of
from scripts.launcher.failures import Failure

SKUS = 200
PIECES = 1_000_000
UNDER_WAY_MAX = 16
CALL_SECONDS_MAX = 60.0


class Seller:
    """Somebody who may make products, count stock and cancel orders."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def make(self, sku: str, pieces: int) -> str:
        """A product with this SKU and so many free pieces; how its page is named."""
        product = {
            "name": f"Bench piece {sku}",
            "description": "Sold by the thousand.",
            "variants": [{"sku": sku, "price": {"amount": 1999, "currency": "USD"}}],
        }
        await self.call("POST", "/products", product, 201, 409)
        stock = await self.call("GET", f"/inventory/{sku}", None, 200)
        more = pieces - stock["available"]
        if more:
            change = {"reason": "bench", "delta": more}
            await self.call("PUT", f"/inventory/{sku}", change, 200)
        return slug_of(sku)

    async def call(self, method: str, path: str, body: Any, *good: int) -> Any:
        """Ask; raises `Failure` for an answer with another status."""
        async with self._session.request(method, path, json=body) as answer:
            said = await answer.json(content_type=None)
            if answer.status not in good:
                code = said.get("code") if isinstance(said, dict) else said
                raise Failure(f"{method} {path}: {answer.status} {code}")
            return said


@asynccontextmanager
async def signed_in(url: str, account: dict[str, str]) -> AsyncIterator[Seller]:
    """The seller of this account, while the context lasts."""
    timeout = aiohttp.ClientTimeout(total=CALL_SECONDS_MAX)
    async with aiohttp.ClientSession(url, timeout=timeout) as session:
        seller = Seller(session)
        login = await seller.call("POST", "/auth/login", account, 200)
        session.headers["Authorization"] = f"Bearer {login['access_token']}"
        yield seller


async def prepare(seller: Seller) -> tuple[str, ...]:
    """Make the goods where they are missing, and fill their stock; the SKUs."""
    room = asyncio.Semaphore(UNDER_WAY_MAX)
    skus = tuple(f"BENCH-{number:03}" for number in range(SKUS))

    async def one(sku: str) -> None:
        async with room:
            await seller.make(sku, PIECES)

    await asyncio.gather(*(one(sku) for sku in skus))
    return skus
