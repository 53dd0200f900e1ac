"""Fills a shop with a marketplace: its sellers, their products and their stock."""

import asyncio
import csv
import io
from typing import Any
from uuid import uuid4

import aiohttp
import msgspec

from bus.kit.values import Money
from bus.products.sheets import EXPORTED, column_name, decimal_of
from scripts.benching.marketplace.data import (
    CURRENCY,
    Good,
    Keys,
    Market,
    SellerAccount,
    Size,
    opening_price,
    product_body,
    sku_of,
)
from scripts.launcher.failures import Failure

UNDER_WAY_MAX = 8
CALL_SECONDS_MAX = 60.0
IMPORT_SECONDS_MAX = 120.0
LOOK_SECONDS = 0.1
BUSY_TRIES_MAX = 10
"""Of a request that the shop's limits refuse: signing up has one a minute."""
PRODUCTS_EACH_MAX = 100
"""What one page of a seller's products shows."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A seller as it signed up; the refresh token gives a new access token, once."""

    id: str
    refresh_token: str


class Hall:
    """A shop's HTTP interface, for whoever sets the market up."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._room = asyncio.Semaphore(UNDER_WAY_MAX)

    async def call(
        self, method: str, path: str, body: Any = None, token: str = ""
    ) -> Any:
        """Ask; raises `Failure` for what is not answered well."""
        for _ in range(BUSY_TRIES_MAX):
            async with self._room:
                status, said, wait = await self._once(method, path, body, token)
            if status in (200, 201, 202):
                return said
            if status != 429:
                break
            await asyncio.sleep(wait)
        code = said.get("code") if isinstance(said, dict) else said
        raise Failure(f"{method} {path}: {status} {code}")

    async def _once(
        self, method: str, path: str, body: Any, token: str
    ) -> tuple[int, Any, float]:
        headers = {"Cache-Control": "no-cache"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if method == "POST" and token:
            headers["Idempotency-Key"] = str(uuid4())
        data: bytes | None = None
        if isinstance(body, bytes):
            headers["Content-Type"], data = "text/csv", body
        elif body is not None:
            headers["Content-Type"] = "application/json"
            data = msgspec.json.encode(body)
        async with self._session.request(
            method, path, data=data, headers=headers
        ) as answer:
            said = await answer.json(content_type=None)
            return answer.status, said, float(answer.headers.get("Retry-After", 0))


async def open_market(
    url: str, administrator: dict[str, str], size: Size, keys: Keys
) -> tuple[Market, tuple[Account, ...]]:
    """A new marketplace in a shop, beside whatever else it sells."""
    name = f"OM{uuid4().hex[:8].upper()}"
    timeout = aiohttp.ClientTimeout(total=CALL_SECONDS_MAX)
    async with aiohttp.ClientSession(url, timeout=timeout) as session:
        hall = Hall(session)
        admin = await hall.call("POST", "/auth/login", administrator)
        token = admin["access_token"]
        accounts = await _together(
            _sign_up(hall, name, number, token) for number in range(size.sellers)
        )
        sellers, accounts = await _tokens(hall, accounts)
        shelves = await _together(
            _stock_up(hall, name, size, number, seller)
            for number, seller in enumerate(sellers)
        )
    goods = [
        shelves[rank % size.sellers][rank // size.sellers]
        for rank in range(size.products)
    ]
    return (
        Market(
            name=name,
            size=size,
            keys=keys,
            sellers=tuple(sellers),
            goods=tuple(goods),
            admin_token=token,
        ),
        tuple(accounts),
    )


async def with_new_tokens(
    url: str,
    administrator: dict[str, str],
    market: Market,
    accounts: tuple[Account, ...],
) -> tuple[Market, tuple[Account, ...]]:
    """The same marketplace with tokens that last for a whole load more."""
    timeout = aiohttp.ClientTimeout(total=CALL_SECONDS_MAX)
    async with aiohttp.ClientSession(url, timeout=timeout) as session:
        hall = Hall(session)
        admin = await hall.call("POST", "/auth/login", administrator)
        sellers, later = await _tokens(hall, list(accounts))
    market = msgspec.structs.replace(
        market, sellers=tuple(sellers), admin_token=admin["access_token"]
    )
    return market, tuple(later)


async def _together(works: Any) -> list[Any]:
    return list(await asyncio.gather(*works))


async def _sign_up(hall: Hall, market: str, number: int, admin: str) -> Account:
    """Make an account, and a seller of it."""
    person = {
        "email": f"{market.lower()}-seller-{number}@bench.example",
        "password": f"{uuid4().hex}-Quiet",
        "first_name": "Bench",
        "last_name": f"Seller {number}",
    }
    made = await hall.call("POST", "/auth/register", person)
    seller_id = made["user"]["id"]
    await hall.call("PUT", f"/users/{seller_id}/role", {"role": "SELLER"}, admin)
    return Account(id=seller_id, refresh_token=made["refresh_token"])


async def _tokens(
    hall: Hall, accounts: list[Account]
) -> tuple[list[SellerAccount], list[Account]]:
    """An access token for each account: refreshed, for a password takes long."""
    said = await _together(
        hall.call("POST", "/auth/refresh", {"refresh_token": one.refresh_token})
        for one in accounts
    )
    pairs = list(zip(accounts, said, strict=True))
    return (
        [SellerAccount(id=one.id, token=new["access_token"]) for one, new in pairs],
        [Account(id=one.id, refresh_token=new["refresh_token"]) for one, new in pairs],
    )


async def _stock_up(
    hall: Hall, market: str, size: Size, number: int, seller: SellerAccount
) -> list[Good]:
    """Import a seller's products, and read their ids; in the order of their ranks."""
    ranks = range(number, size.products, size.sellers)
    sheet = sheet_of(market, ranks, size.pieces)
    made = await hall.call("POST", "/products/import", sheet, seller.token)
    async with asyncio.timeout(IMPORT_SECONDS_MAX):
        path = f"/products/import/{made['id']}"
        while True:
            seen = await hall.call("GET", path, token=seller.token)
            if seen["status"] in ("DONE", "FAILED"):
                break
            await asyncio.sleep(LOOK_SECONDS)
        if seen["status"] == "FAILED" or seen["errors_total"]:
            raise Failure(f"a seller's import ended so: {seen}")
        found: dict[str, Good] = {}
        while len(found) < len(ranks):  # a list may be a second behind
            path = f"/products?seller={seller.id}&limit={PRODUCTS_EACH_MAX}"
            page = await hall.call("GET", path, token=seller.token)
            found = {good.sku: good for good in map(_good, page["items"])}
            await asyncio.sleep(LOOK_SECONDS if len(found) < len(ranks) else 0)
    return [found[sku_of(market, rank, 0)] for rank in ranks]


def _good(product: dict[str, Any]) -> Good:
    (variant,) = product["variants"]
    return Good(
        sku=variant["sku"],
        product_id=product["id"],
        price=variant["price"]["amount"],
        version=product["version"],
    )


def sheet_of(market: str, ranks: range, pieces: int) -> bytes:
    """The products of these ranks in Shopify's columns."""
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, EXPORTED, restval="", lineterminator="\n")
    writer.writerow({column: column_name(column) for column in EXPORTED})
    for rank in ranks:
        sku = sku_of(market, rank, 0)
        body = product_body(market, rank, 0, 0)
        writer.writerow(
            {
                "handle": f"market-good-{sku.lower()}",
                "title": body["name"],
                "description": body["description"],
                "sku": sku,
                "price": decimal_of(Money(opening_price(rank), CURRENCY)),
                "pieces": str(pieces),
                "status": "active",
            }
        )
    return file.getvalue().encode()
