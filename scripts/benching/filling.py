"""Fills a shop with the catalogue to browse, over HTTP; a second time it is there."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Any
from uuid import uuid5

import aiohttp
import msgspec

from scripts.benching.catalogue import ROOT, Ware, slug_of, wares
from scripts.launcher.failures import Failure

UNDER_WAY_MAX = 32
REVIEWED_EVERY = 10
"""Every so manieth product gets a review, of one to five stars in turn."""
STARS_MAX = 5

Accounts = dict[str, dict[str, str]]


class _Shop:
    """A shop's HTTP interface, as its three demo accounts use it."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._tokens: dict[str, str] = {}
        self._room = asyncio.Semaphore(UNDER_WAY_MAX)

    async def sign_in(self, accounts: Accounts) -> None:
        """Take a token for each account."""
        for who in ("admin", "seller", "customer"):
            login = {key: accounts[who][key] for key in ("email", "password")}
            said = await self.call(None, "POST", "/auth/login", login)
            self._tokens[who] = said["access_token"]

    async def call(
        self, who: str | None, method: str, path: str, body: Any, *fine: int
    ) -> Any:
        """Ask as one of them; raises `Failure` for what is not answered well."""
        headers = {"Content-Type": "application/json"}
        if who is not None:
            headers["Authorization"] = f"Bearer {self._tokens[who]}"
        if method == "POST" and who is not None:
            headers["Idempotency-Key"] = str(uuid5(ROOT, f"{path} {body}"))
        data = None if body is None else msgspec.json.encode(body)
        async with (
            self._room,
            self._session.request(method, path, data=data, headers=headers) as answer,
        ):
            said = await answer.json(content_type=None)
            if answer.status not in (200, 201, *fine):
                code = said.get("code") if isinstance(said, dict) else said
                raise Failure(f"{method} {path}: {answer.status} {code}")
            return said


async def fill(url: str, accounts: Accounts, count: int) -> None:
    """Make the categories, the products, their stock, and some reviews."""
    goods = list(wares(count))
    async with aiohttp.ClientSession(url) as session:
        shop = _Shop(session)
        await shop.sign_in(accounts)
        places = await _fill_categories(shop, goods)
        await _all(_fill_one(shop, ware, places, n) for n, ware in enumerate(goods))


async def _fill_categories(
    shop: _Shop, goods: list[Ware]
) -> dict[tuple[str, ...], str]:
    """The categories' ids by path, parents first."""
    paths = sorted({ware.path[:depth] for ware in goods for depth in (1, 2, 3)})
    there = _slugs((await shop.call(None, "GET", "/categories", None))["items"])
    places: dict[tuple[str, ...], str] = {}
    for path in sorted(paths, key=len):
        slug = slug_of(path)
        if slug not in there:
            body = {"name": path[-1], "parent_id": places.get(path[:-1]), "slug": slug}
            said = await shop.call("admin", "POST", "/categories", body)
            there[slug] = said["id"]
        places[path] = there[slug]
    return places


def _slugs(tree: list[Any]) -> dict[str, str]:
    """The ids of a tree's categories by slug."""
    found: dict[str, str] = {}
    for category in tree:
        found |= {category["slug"]: category["id"], **_slugs(category["children"])}
    return found


async def _fill_one(
    shop: _Shop, ware: Ware, places: dict[tuple[str, ...], str], number: int
) -> None:
    body = msgspec.to_builtins(ware.draft)
    body["category_id"] = places[ware.path]
    body = {key: value for key, value in body.items() if value is not None}
    if not body["options"]:
        del body["options"]
    who = "seller" if ware.seller % 2 else "admin"
    said = await shop.call(who, "POST", "/products", body, 409)
    if said.get("code") == "sku-taken":  # of an earlier day
        return
    await _all(
        shop.call("admin", "PUT", f"/inventory/{sku}", _stock(pieces))
        for sku, pieces in ware.pieces.items()
        if pieces
    )
    if number % REVIEWED_EVERY == 0:
        stars = 1 + number // REVIEWED_EVERY % STARS_MAX
        path = f"/products/{said['id']}/reviews"
        words = {"rating": stars, "comment": "As it says."}
        review = await shop.call("customer", "POST", path, words)
        verdict = f"/reviews/{review['id']}/moderation"
        await shop.call("admin", "PUT", verdict, {"status": "APPROVED"})


def _stock(pieces: int) -> dict[str, object]:
    return {"reason": "bench", "on_hand": pieces}


async def _all(work: Iterable[Awaitable[Any]]) -> None:
    await asyncio.gather(*work)
