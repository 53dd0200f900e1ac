"""The gateway hears events over the real NATS, and trusts nothing that it may miss."""

import asyncio
import json
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import nats
import pytest
from nats.aio.client import Client

from bus.inventory import StockAdjusted, StockReplenished
from bus.kit.settings import Settings
from serve_app.kit.hearing import Hearing
from serve_app.kit.near_cache import NearCache
from tests.conftest import free_port

SUBJECT = "events.inventory.stock_adjusted"


class Server:
    """A NATS server that can be stopped and started on its port."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        binary = shutil.which("nats-server") or ".venv/bin/nats-server"
        self._process = subprocess.Popen(
            [binary, "-a", "127.0.0.1", "-p", str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def near() -> NearCache:
    return NearCache(bytes_max=1 << 20, age_seconds_max=60)


@pytest.fixture
def heard() -> list[StockAdjusted]:
    return []


@pytest.fixture
async def hearing(
    server: Server, near: NearCache, tmp_path: Path, heard: list[StockAdjusted]
) -> AsyncIterator[Hearing]:
    made = Hearing(Settings(data_dir=tmp_path, nats_url=server.url), near)
    made.on(StockAdjusted, heard.append)
    await until(lambda: port_open(server.port))
    await made.connect()
    yield made
    await made.close()


def port_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for is elsewhere
            await asyncio.sleep(0.02)


async def tell(server: Server, payload: bytes, subject: str = SUBJECT) -> None:
    client: Client = await nats.connect(server.url)
    await client.publish(subject, payload)
    await client.close()


def keep(near: NearCache) -> None:
    near.put(b"k", [], b"x", '"1"', age_seconds=60, tags=(), began_at=near.now())


async def test_an_event_is_heard_as_what_it_says(
    server: Server, hearing: Hearing, heard: list[StockAdjusted]
) -> None:
    assert hearing.connected()
    data = {
        "sku": "A",
        "warehouse_id": str(UUID(int=1)),
        "delta": 1,
        "on_hand": 2,
        "available": 2,
        "added_by_a_later_release": 1,
    }
    document = {"specversion": "1.0", "id": "1", "subject": "A", "data": data}
    await tell(server, json.dumps(document).encode())
    await until(lambda: heard)
    assert (heard[0].sku, heard[0].warehouse_id) == ("A", UUID(int=1))


async def test_an_event_that_is_not_understood_clears_everything(
    server: Server, hearing: Hearing, near: NearCache
) -> None:
    assert hearing.connected()
    keep(near)
    await tell(server, b"{}")
    await until(lambda: len(near) == 0)


async def test_what_is_followed_is_heard_while_somebody_follows(
    server: Server, near: NearCache, tmp_path: Path
) -> None:
    heard: list[Any] = []
    hearing = Hearing(Settings(data_dir=tmp_path, nats_url=server.url), near)
    hearing.on(StockAdjusted, heard.append, kind="stock")
    hearing.on(StockReplenished, heard.append, kind="stock")
    hearing.on(StockReplenished, heard.append)
    await hearing.listen("stock")  # not connected yet: nothing to do
    await until(lambda: port_open(server.port))
    await hearing.connect()
    other = "events.inventory.stock_replenished"
    data = {"warehouse_id": str(UUID(int=1)), "delta": 1, "on_hand": 2, "available": 2}
    data["threshold"] = 1

    async def told() -> list[str]:
        heard.clear()
        for subject in (SUBJECT, other):
            body = {"data": {"sku": subject, **data}}
            await tell(server, json.dumps(body).encode(), subject)
        # Once for each call that wants it; the last one told is always heard.
        await until(lambda: [each.sku for each in heard].count(other) == 2)
        return [each.sku for each in heard]

    assert SUBJECT not in await told()
    await hearing.listen("stock")
    assert SUBJECT in await told()
    await hearing.silence("stock")
    assert SUBJECT not in await told()
    server.stop()
    await until(lambda: not hearing.connected())
    await hearing.listen("stock")
    server.start()
    await until(hearing.connected)
    assert SUBJECT in await told()
    await hearing.close()
    await hearing.listen("stock")
    await hearing.silence("stock")


async def test_a_lost_connection_drops_all_when_it_goes_and_when_it_comes(
    server: Server, hearing: Hearing, near: NearCache
) -> None:
    keep(near)
    missed: list[bool] = []
    hearing.on_loss(lambda: missed.append(hearing.connected()))
    assert hearing.connected()
    server.stop()
    await until(lambda: len(near) == 0)
    assert not hearing.connected()
    keep(near)
    server.start()
    await until(hearing.connected)
    await until(lambda: len(near) == 0)
    assert False in missed
    assert missed[-1]
