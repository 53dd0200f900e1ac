"""The bench's goods: SKUs with more stock than any bench sells, made over HTTP."""

import asyncio
from typing import Any

import aiohttp

from scripts.launcher.failures import Failure

SKUS = 200
PIECES = 1_000_000
UNDER_WAY_MAX = 16


async def prepare(url: str, account: dict[str, str]) -> tuple[str, ...]:
    """Make the goods where they are missing, and fill their stock; the SKUs."""
    async with aiohttp.ClientSession(url) as session:
        login = await _call(session, "POST", "/auth/login", account, 200)
        session.headers["Authorization"] = f"Bearer {login['access_token']}"
        room = asyncio.Semaphore(UNDER_WAY_MAX)
        skus = tuple(f"BENCH-{number:03}" for number in range(SKUS))

        async def one(sku: str) -> None:
            async with room:
                await _make(session, sku)

        await asyncio.gather(*(one(sku) for sku in skus))
    return skus


async def _make(session: aiohttp.ClientSession, sku: str) -> None:
    product = {
        "name": f"Bench piece {sku}",
        "description": "Sold by the thousand.",
        "variants": [{"sku": sku, "price": {"amount": 1999, "currency": "USD"}}],
    }
    await _call(session, "POST", "/products", product, 201, 409)
    count = {"reason": "bench", "on_hand": PIECES}
    await _call(session, "PUT", f"/inventory/{sku}", count, 200)


async def _call(
    session: aiohttp.ClientSession, method: str, path: str, body: Any, *good: int
) -> Any:
    async with session.request(method, path, json=body) as answer:
        said = await answer.json(content_type=None)
        if answer.status not in good:
            code = said.get("code") if isinstance(said, dict) else said
            raise Failure(f"{method} {path} was answered with {answer.status} {code}")
        return said
