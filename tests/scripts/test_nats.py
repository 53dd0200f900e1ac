"""The embedded NATS: what each of its users may do, and what not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nats
import nats.micro
import pytest
from nats.aio.client import Client
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.api import AckPolicy, ConsumerConfig

from scripts.embedded.nats import Nats, NatsError
from tests.conftest import free_port

PASSWORDS = {
    "souk": "pw-shop",
    "events": "pw-reader",
    "services": "pw-caller",
    "stock": "pw-stock",
    "billing": "pw-billing",
}
SERVED = ("inventory.get-stock", "payment.process")
ANSWER_SECONDS_MAX = 0.5
API = "$JS.API.CONSUMER"


@pytest.fixture
def server(tmp_path: Path) -> Any:
    """A server with one service subject and one durable consumer of the shop."""
    one = Nats(
        tmp_path,
        free_port(),
        0,
        passwords=PASSWORDS,
        services=SERVED,
        consumers=["orders"],
        callers={"stock": SERVED[:1], "billing": SERVED[1:]},
    )
    one.start()
    yield one
    one.stop()


@asynccontextmanager
async def _client(server: Nats, user: str) -> AsyncIterator[tuple[Client, list[str]]]:
    """A connection, and what the server complains about to it."""
    said: list[str] = []

    async def hear(error: Exception) -> None:
        said.append(str(error))

    client = await nats.connect(
        server.url(user), error_cb=hear, allow_reconnect=False, connect_timeout=5
    )
    try:
        yield client, said
    finally:
        await client.close()


@asynccontextmanager
async def _shop(server: Nats) -> AsyncIterator[Client]:
    """The shop's connection, with its stream, its consumer and its service."""
    async with _client(server, "souk") as (client, _):
        js = client.jetstream()
        await js.add_stream(name="EVENTS", subjects=["events.>"])
        await js.add_consumer(
            "EVENTS",
            ConsumerConfig(durable_name="orders", ack_policy=AckPolicy.EXPLICIT),
        )
        service = await nats.micro.add_service(
            client, name="inventory", version="1.0.0"
        )

        async def answer(request: Any) -> None:
            await request.respond(b"7")

        for subject in SERVED:
            name = subject.partition(".")[2]
            await service.add_endpoint(name=name, subject=subject, handler=answer)
        await js.publish("events.orders.order_placed", b"1")
        yield client
        await service.stop()


async def test_a_reader_sees_every_event_in_each_way_there_is(server: Nats) -> None:
    async with _shop(server) as shop, _client(server, "events") as (reader, said):
        live = await reader.subscribe("events.>")
        pulled = await reader.jetstream().pull_subscribe("events.>", durable="mine")
        [message] = await pulled.fetch(1, timeout=2)
        await message.ack_sync()
        pushed = await reader.jetstream().subscribe("events.>", ordered_consumer=True)
        assert (await pushed.next_msg(2)).data == b"1"
        await shop.jetstream().publish("events.orders.order_confirmed", b"2")
        assert (await live.next_msg(2)).subject == "events.orders.order_confirmed"
        assert said == []


@pytest.mark.parametrize(
    "subject",
    [
        "events.orders.order_placed",
        "inventory.get-stock",
        f"{API}.MSG.NEXT.EVENTS.orders",
        f"{API}.DELETE.EVENTS.orders",
        f"{API}.CREATE.EVENTS.orders.events.none",
        "$JS.ACK.EVENTS.orders.1.1.1.1.0",
        "$JS.API.STREAM.PURGE.EVENTS",
        "$JS.API.STREAM.DELETE.EVENTS",
    ],
)
async def test_a_reader_changes_nothing(server: Nats, subject: str) -> None:
    async with _shop(server), _client(server, "events") as (reader, said):
        with pytest.raises(NatsTimeoutError):
            await reader.request(subject, b"{}", timeout=ANSWER_SECONDS_MAX)
        assert "permissions violation for publish" in said[0]


async def test_a_caller_reaches_the_services_and_nothing_else(server: Nats) -> None:
    async with _shop(server) as shop, _client(server, "services") as (caller, said):
        answer = await caller.request("inventory.get-stock", b"", timeout=2)
        assert answer.data == b"7"
        assert b'"inventory"' in (await caller.request("$SRV.PING", timeout=2)).data
        assert said == []
        await shop.subscribe("payment.add-method")
        for subject in ("payment.add-method", "events.x.y", "$JS.API.INFO"):
            with pytest.raises(NatsTimeoutError):
                await caller.request(subject, b"", timeout=ANSWER_SECONDS_MAX)
        await caller.subscribe("events.>")
        await asyncio.sleep(0.1)
        assert len(said) == 4


async def test_a_caller_with_one_permission_has_no_other(server: Nats) -> None:
    async with _shop(server), _client(server, "stock") as (caller, said):
        answer = await caller.request("inventory.get-stock", b"", timeout=2)
        assert answer.data == b"7"
        assert said == []
        for subject in ("payment.process", "events.orders.order_placed"):
            with pytest.raises(NatsTimeoutError):
                await caller.request(subject, b"", timeout=ANSWER_SECONDS_MAX)
            assert f'permissions violation for publish to "{subject}"' in said[-1]
        for subject in ("events.>", "payment.process", ">"):
            await caller.subscribe(subject)
            await caller.flush()
            await asyncio.sleep(0.05)
            violation = f'permissions violation for subscription to "{subject}"'
            assert violation in said[-1].lower()
        assert len(said) == 5


async def test_a_caller_hears_no_answer_of_anothers(server: Nats) -> None:
    async with (
        _shop(server),
        _client(server, "stock") as (spy, said),
        _client(server, "services") as (other, _),
        _client(server, "billing") as (billing, _),
    ):
        heard = await spy.subscribe("_INBOX.>")
        await spy.flush()
        for client in (billing, other):
            answer = await client.request("payment.process", b"", timeout=2)
            assert answer.data == b"7"
        with pytest.raises(NatsTimeoutError):
            await heard.next_msg(0.3)
        assert said == []


@pytest.mark.parametrize("said", ["{}", '{"user":"billing","pass":"pw-billing"}'])
async def test_nobody_connects_without_an_account(server: Nats, said: str) -> None:
    """Also not a caller whom the settings name no more."""
    server.stop()
    server.callers.pop("billing")
    server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        assert (await reader.readline()).startswith(b"INFO ")
        writer.write(f"CONNECT {said}\r\nPING\r\n".encode())
        async with asyncio.timeout(2):
            assert await reader.readline() == b"-ERR 'Authorization Violation'\r\n"
    finally:
        writer.close()
        await writer.wait_closed()
    async with _shop(server), _client(server, "stock") as (caller, _):
        assert (await caller.request("inventory.get-stock", timeout=2)).data == b"7"


async def test_a_restart_keeps_the_stream(server: Nats) -> None:
    async with _shop(server):
        pass
    server.stop()
    server.start()
    async with _client(server, "souk") as (client, _):
        assert (await client.jetstream().stream_info("EVENTS")).state.messages == 1


def test_a_taken_port_is_one_line(server: Nats, tmp_path: Path) -> None:
    second = Nats(tmp_path / "second", server.port, 0, passwords=PASSWORDS)
    with pytest.raises(NatsError, match=f"port {server.port} is already taken"):
        second.start()
