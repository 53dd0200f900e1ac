"""Fills a shop with the catalogue to browse: imported as CSV, then reviewed."""

import asyncio
import csv
import io
import time
from collections.abc import Iterable
from typing import Any
from uuid import uuid4, uuid5

import aiohttp
import msgspec
from slugify import slugify

from bus.products.sheets import EXPORTED, column_name, decimal_of, guarded
from scripts.benching.catalogue import ROOT, Ware, slug_of, wares
from scripts.launcher.failures import Failure

UNDER_WAY_MAX = 32
IMPORT_SECONDS_MAX = 600.0
LOOK_SECONDS = 0.2
REVIEWED_EVERY = 10
"""Every so manieth product gets a review, of one to five stars in turn."""
STARS_MAX = 5

Accounts = dict[str, dict[str, str]]


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What the import of the catalogue came to; of a second time, too."""

    products: int
    rows: int
    seconds: float
    rows_per_second: float
    created: int
    unchanged: int

    def words(self) -> str:
        """It in a line, for people."""
        return (
            f"{self.products} products in {self.rows} rows of CSV: {self.created} made,"
            f" {self.unchanged} there as they are; {self.seconds:.1f} s,"
            f" {self.rows_per_second:.0f} rows/s"
        )


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
        if isinstance(body, bytes):
            headers["Content-Type"], data = "text/csv", body
            headers["Idempotency-Key"] = str(uuid4())  # read again, whatever it finds
        async with (
            self._room,
            self._session.request(method, path, data=data, headers=headers) as answer,
        ):
            said = await answer.json(content_type=None)
            if answer.status not in (200, 201, 202, *fine):
                code = said.get("code") if isinstance(said, dict) else said
                raise Failure(f"{method} {path}: {answer.status} {code}")
            return said


async def fill(url: str, accounts: Accounts, count: int) -> Imported:
    """Make the categories, the products with their stock, and some reviews."""
    goods = list(wares(count))
    async with aiohttp.ClientSession(url) as session:
        shop = _Shop(session)
        await shop.sign_in(accounts)
        await _fill_categories(shop, goods)
        imported = await _import(shop, goods)
        reviewed = enumerate(goods[::REVIEWED_EVERY])
        await asyncio.gather(*(_review(shop, one, number) for number, one in reviewed))
    return imported


async def _import(shop: _Shop, goods: list[Ware]) -> Imported:
    """Import a seller's half and the shop's own half, and wait until all is there."""
    halves = {
        who: sheet_of(ware for ware in goods if (ware.seller % 2 == 1) is own)
        for who, own in (("seller", True), ("admin", False))
    }
    began = time.monotonic()
    ends = await asyncio.gather(*(_carried(shop, *half) for half in halves.items()))
    seconds = time.monotonic() - began
    rows = sum(end["rows_done"] for end in ends)
    return Imported(
        products=len(goods),
        rows=rows,
        seconds=seconds,
        rows_per_second=rows / seconds,
        created=sum(end["created"] for end in ends),
        unchanged=sum(end["unchanged"] for end in ends),
    )


async def _carried(shop: _Shop, who: str, sheet: bytes) -> dict[str, Any]:
    """An import from its file to its end; raises `Failure` if a row did not go in."""
    made = await shop.call(who, "POST", "/products/import", sheet)
    async with asyncio.timeout(IMPORT_SECONDS_MAX):
        while True:
            path = f"/products/import/{made['id']}"
            seen: dict[str, Any] = await shop.call(who, "GET", path, None)
            if seen["status"] in ("DONE", "FAILED"):
                break
            await asyncio.sleep(LOOK_SECONDS)
    if seen["status"] == "FAILED" or seen["errors_total"] or seen["warnings_total"]:
        raise Failure(f"the import ended so: {seen}")
    return seen


def sheet_of(goods: Iterable[Ware]) -> bytes:
    """These products in Shopify's columns, a row a variant."""
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, EXPORTED, restval="", lineterminator="\n")
    writer.writerow({column: column_name(column) for column in EXPORTED})
    for ware in goods:
        writer.writerows(_rows(ware))
    return file.getvalue().encode()


def _rows(ware: Ware) -> Iterable[dict[str, str]]:
    draft, handle = ware.draft, slugify(ware.draft.name)
    for place, variant in enumerate(draft.variants):
        row = {
            "handle": handle,
            "sku": variant.sku,
            "price": decimal_of(variant.price),
            "pieces": str(ware.pieces[variant.sku]),
        }
        for number, (name, value) in enumerate(variant.options.items(), 1):
            row[f"option{number}_name"] = name if place == 0 else ""
            row[f"option{number}_value"] = guarded(value)
        if place == 0:
            row |= {
                "title": guarded(draft.name),
                "description": draft.description,
                "category": slug_of(ware.path),
                "status": "active",
            }
        yield row


async def _fill_categories(shop: _Shop, goods: list[Ware]) -> None:
    """Make the categories that are not there, parents first."""
    paths = sorted({ware.path[:depth] for ware in goods for depth in (1, 2, 3)})
    there = _slugs((await shop.call(None, "GET", "/categories", None))["items"])
    for path in sorted(paths, key=len):
        slug = slug_of(path)
        if slug not in there:
            parent_id = there[slug_of(path[:-1])] if len(path) > 1 else None
            body = {"name": path[-1], "parent_id": parent_id, "slug": slug}
            made = await shop.call("admin", "POST", "/categories", body)
            there[slug] = made["id"]


def _slugs(tree: list[Any]) -> dict[str, str]:
    """The ids of a tree's categories by slug."""
    found: dict[str, str] = {}
    for category in tree:
        found |= {category["slug"]: category["id"], **_slugs(category["children"])}
    return found


async def _review(shop: _Shop, ware: Ware, number: int) -> None:
    """Let the customer give a product one to five stars, once."""
    slug = slugify(ware.draft.name)
    product = await shop.call(None, "GET", f"/products/{slug}", None)
    words = {"rating": 1 + number % STARS_MAX, "comment": "As it says."}
    path = f"/products/{product['id']}/reviews"
    review = await shop.call("customer", "POST", path, words, 409)
    if review.get("code") != "review-exists":  # of an earlier day
        verdict = f"/reviews/{review['id']}/moderation"
        await shop.call("admin", "PUT", verdict, {"status": "APPROVED"})
