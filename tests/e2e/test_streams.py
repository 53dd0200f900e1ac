"""A customer follows an order and the bell, through HAProxy and over a cut."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from tests.e2e.conftest import MakePerson
from tests.e2e.people import Person, new_goods

# What nobody told would come with the next comment, fifteen seconds later.
TOLD_SECONDS_MAX = 8
ENDS_SECONDS_MAX = 8

Event = tuple[int, str, Any]


class Followed:
    """The events of one connection, as an EventSource has them."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer
        self.got: list[Event] = []

    async def events(self, count: int) -> list[Event]:
        """All events, once there are so many."""
        async with asyncio.timeout(TOLD_SECONDS_MAX):
            while len(self.got) < count:
                await self._read()
        return self.got

    async def ends(self) -> None:
        """Wait for the end of the stream."""
        async with asyncio.timeout(ENDS_SECONDS_MAX):
            while not self.answer.content.at_eof():
                await self._read()

    async def _read(self) -> None:
        fields = {}
        while line := (await self.answer.content.readline()).strip().decode():
            name, _, value = line.partition(": ")
            fields[name] = value
        if "data" in fields:
            data = json.loads(fields["data"])
            self.got.append((int(fields["id"]), fields["event"], data))


@asynccontextmanager
async def following(
    person: Person, path: str, after: int | None = None
) -> AsyncIterator[Followed]:
    """A connection to a stream; leaving it cuts the connection."""
    headers = await person.headers()
    if after is not None:
        headers["Last-Event-ID"] = str(after)
    async with aiohttp.ClientSession() as session:
        answer = await session.get(person.url + path, headers=headers)
        assert answer.status == 200, await answer.text()
        assert answer.headers["Content-Type"] == "text/event-stream"
        yield Followed(answer)
        answer.close()


async def test_an_order_is_followed_live_and_after_a_cut_without_gap_or_repeat(
    customer: MakePerson, keeper: Person
) -> None:
    sku = await new_goods(keeper, stock=3)
    person = await customer()
    async with following(person, "/notifications/stream") as bell:
        order = (await person.order((sku, 1))).ok(201)
        path = f"/orders/{order['id']}"

        async def move(status: str, **more: str) -> None:
            body = {"status": status, **more}
            (await keeper.call("PUT", f"{path}/status", body)).ok(200)

        async with following(person, f"{path}/stream") as first:
            await first.events(2)
            began = time.monotonic()
            await move("PROCESSING")
            assert len(await first.events(3)) == 3
            assert time.monotonic() - began < TOLD_SECONDS_MAX
        await move("SHIPPED", carrier="DHL", tracking_number="1Z")
        async with following(person, f"{path}/stream", first.got[-1][0]) as second:
            await second.events(1)
            await move("DELIVERED")
            await second.events(2)
        timeline = (await person.get(f"{path}/timeline"))["items"]
        assert [data for _, _, data in first.got + second.got] == timeline
        assert [entry["status"] for entry in timeline] == [
            *("PENDING", "CONFIRMED", "PROCESSING", "SHIPPED", "DELIVERED"),
        ]
        told = {data["type"] for _, _, data in await bell.events(4)}
        assert told == {"ORDER_CONFIRMATION", "PAYMENT_SUCCESS", "SHIPPING_UPDATE"}


async def test_a_stream_of_a_session_that_ended_ends(customer: MakePerson) -> None:
    person = await customer()
    async with following(person, "/notifications/stream") as bell:
        await asyncio.sleep(1)
        (await person.call("POST", "/auth/logout")).ok(204)
        began = time.monotonic()
        await bell.ends()
        # Within a second for the list of ended sessions, and half of one to see it.
        assert time.monotonic() - began < ENDS_SECONDS_MAX
    answer = await person.call("GET", "/notifications/stream")
    assert (answer.status, answer.code) == (401, "token-revoked")
