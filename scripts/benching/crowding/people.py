"""Who is in the crowd: guests with an order each, and people with bells."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import aiohttp
import msgspec

from scripts.benching.crowding.crowd import Stream
from scripts.benching.goods import CALL_SECONDS_MAX, UNDER_WAY_MAX, Seller
from scripts.benching.scenes import wish
from scripts.launcher.failures import Failure

BELLS_EACH = 5
"""As many as one person may have open on a replica (SOUK_STREAMS_EACH_MAX)."""
BELLS_SHARE = 4
"""One stream of so many is a bell."""
LIST_MAX = 100


class Guest(msgspec.Struct, frozen=True):
    """A guest's order, and the token that shows it."""

    order_id: str
    token: str


class Person(msgspec.Struct, frozen=True):
    """Somebody who is signed in, with an order."""

    order_id: str
    bearer: str


class People(msgspec.Struct, frozen=True):
    """All of them."""

    guests: list[Guest]
    persons: list[Person]

    def streams(self, count: int) -> list[Stream]:
        """So many streams: the bells of all persons, then the guests' orders."""
        bells = [
            Stream("/notifications/stream", {"Authorization": f"Bearer {one.bearer}"})
            for one in self.persons
            for _ in range(BELLS_EACH)
        ]
        orders = [
            Stream(f"/orders/{one.order_id}/stream", {"X-Order-Token": one.token})
            for one in self.guests
        ]
        return [*bells, *orders][:count]

    def order_ids(self) -> list[str]:
        """The orders of all."""
        persons = [one.order_id for one in self.persons]
        return persons + [one.order_id for one in self.guests]


async def gather_people(url: str, streams: int, sku: str) -> People:
    """As many people as follow `streams` streams; each buys something."""
    persons = streams // BELLS_SHARE // BELLS_EACH
    timeout = aiohttp.ClientTimeout(total=CALL_SECONDS_MAX)
    async with aiohttp.ClientSession(url, timeout=timeout) as session:
        caller = Seller(session)

        async def guest(_: int) -> Guest:
            said = await caller.call("POST", "/orders", wish((sku,)), 201)
            return Guest(said["id"], said["order_token"])

        async def person(_: int) -> Person:
            bearer = await _sign_up(caller)
            said = await _as(session, bearer).call("POST", "/orders", wanted(sku), 201)
            return Person(said["id"], bearer)

        return People(
            await each(range(streams - persons * BELLS_EACH), guest),
            await each(range(persons), person),
        )


def wanted(sku: str) -> dict[str, Any]:
    """An order of somebody whose address is known."""
    body = wish((sku,))
    del body["email"]
    return body


async def advance(seller: Seller, order_ids: Sequence[str]) -> None:
    """Two changes of each order: worked on, then on its way."""
    shipped = {"status": "SHIPPED", "carrier": "DHL", "tracking_number": "1Z"}

    async def one(order_id: str) -> None:
        for change in ({"status": "PROCESSING"}, shipped):
            await seller.call("PUT", f"/orders/{order_id}/status", change, 200)

    await each(order_ids, one)


async def truth(url: str, seller: Seller, people: People) -> list[list[int]]:
    """What each of the streams should have been told by now, in its order."""

    async def timeline(one: Guest) -> list[int]:
        path = f"/orders/{one.order_id}/timeline?limit={LIST_MAX}"
        said = await seller.call("GET", path, None, 200)
        return sorted(entry["version"] for entry in said["items"])

    timeout = aiohttp.ClientTimeout(total=CALL_SECONDS_MAX)
    async with aiohttp.ClientSession(url, timeout=timeout) as session:

        async def bell(one: Person) -> list[int]:
            path = f"/notifications?limit={LIST_MAX}"
            said = await _as(session, one.bearer).call("GET", path, None, 200)
            return sorted(each["position"] for each in said["items"])

        bells = await each(people.persons, bell)
    orders = await each(people.guests, timeline)
    return [ids for ids in bells for _ in range(BELLS_EACH)] + orders


async def each(some: Sequence[Any], act: Callable[[Any], Awaitable[Any]]) -> list[Any]:
    """Do it for all of them, a few at a time; what came of each."""
    room = asyncio.Semaphore(UNDER_WAY_MAX)

    async def one(item: Any) -> Any:
        async with room:
            return await act(item)

    return list(await asyncio.gather(*map(one, some)))


class _Signed(Seller):
    """Somebody else, over the same session."""

    def __init__(self, session: aiohttp.ClientSession, bearer: str) -> None:
        super().__init__(session)
        self._headers = {"Authorization": f"Bearer {bearer}"}

    async def call(self, method: str, path: str, body: Any, *good: int) -> Any:
        """Ask as them."""
        async with self._session.request(
            method, path, json=body, headers=self._headers
        ) as answer:
            said = await answer.json(content_type=None)
            if answer.status not in good:
                raise Failure(f"{method} {path}: {answer.status} {said}")
            return said


def _as(session: aiohttp.ClientSession, bearer: str) -> Seller:
    return _Signed(session, bearer)


async def _sign_up(caller: Seller) -> str:
    body = {
        "email": f"crowd-{secrets.token_hex(8)}@bench.example",
        "password": secrets.token_urlsafe(16),
        "first_name": "Crowd",
        "last_name": "Bench",
    }
    said = await caller.call("POST", "/auth/register", body, 201)
    return str(said["access_token"])
