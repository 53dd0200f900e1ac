"""An order's trace is one tree: HTTP, steps, statements, events and their consumers."""

import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog

from actors.kit.relay import Published
from bus.kit import consumer
from bus.kit.bridge import Bridge
from scripts.embedded.nats import Nats
from tests.conftest import free_port
from tests.edge.front import Front, key, order
from tests.kit.local import LocalShop
from tests.telemetry.collectors import Collector, attributes, collecting, traced, until

TRACE = "0af7651916cd43dd8448eb211c80319c"
SENT = f"00-{TRACE}-b7ad6b7169203331-01"


@asynccontextmanager
async def bridged(shop: LocalShop) -> AsyncIterator[Bridge]:
    """A bridge between the shop and a NATS of its own."""
    with tempfile.TemporaryDirectory(prefix="souk-nats-") as folder:
        words = dict.fromkeys(("souk", "events", "services"), "word")
        server = Nats(Path(folder), free_port(), 0, passwords=words)
        server.start()
        kinds = {name: each.consumes() for name, each in shop._classes.items()}
        bridge = Bridge(
            server.url(),
            shop.ask,
            name="bridge/0",
            consumers={name: told for name, told in kinds.items() if told},
            services={},
            log=structlog.get_logger("bridge"),
        )

        async def publish(rows: Any) -> Published:
            return Published(*await bridge.publish(rows))

        await bridge.start()
        shop.publish = publish
        try:
            yield bridge
        finally:
            shop.publish = None
            await bridge.stop()
            server.stop()


async def connect_again(shop: LocalShop) -> None:
    """What a connection tells of its statements is settled when it is made."""
    for shard in shop.transport.shards.values():
        assert shard is not None
        await shard.database.close()


@pytest.fixture
async def collector(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Collector]:
    """A shop that is traced, with a bridge."""
    monkeypatch.setattr(consumer, "FETCH_SECONDS", 0.3)
    async with collecting("/v1/traces") as made, bridged(front.shop):
        async with traced(made.url):
            await connect_again(front.shop)
            yield made
        await connect_again(front.shop)


def tree(collector: Collector) -> dict[str, Any]:
    """The spans of the sent trace by their ids."""
    spans = [one for one in collector.spans() if one.trace_id.hex() == TRACE]
    return {one.span_id.hex(): one for one in spans}


def names(collector: Collector) -> set[str]:
    """The names of the trace's spans."""
    return {one.name for one in tree(collector).values()}


async def test_an_orders_trace_is_one_tree(front: Front, collector: Collector) -> None:
    (sku,) = await front.goods(5)
    buyer = await front.person()
    body = order((sku, 1))
    made = await buyer.call("POST /orders", 201, body, traceparent=SENT, **key())
    wanted = {
        "POST /orders",
        "orders.place_order",
        "inventory.reserve_stock",
        "payments.charge",
        "transaction",
        "INSERT",
        "COMMIT",
        "publish orders.order_confirmed.v1",
        "publish messaging.message_sent.v1",
        "process orders.order_confirmed.v1",
    }
    await until(lambda: wanted <= names(collector))
    spans = tree(collector)
    roots = [one for one in spans.values() if one.parent_span_id.hex() not in spans]
    assert {one.parent_span_id.hex() for one in roots} == {"b7ad6b7169203331"}
    assert [one.name for one in roots] == ["POST /orders"]
    said = attributes(roots[0])
    assert said["http.route"] == "/orders"
    assert said["http.response.status_code"] == 201
    everything = repr([attributes(one) for one in spans.values()])
    for word in ("Lovelace", "St James", "tok_visa", str(buyer.user_id), made["id"]):
        assert word not in everything
    await _bears_the_trace(front, made["id"])


async def _bears_the_trace(front: Front, order_id: str) -> None:
    told = await front.shop.events("orders")
    mine = [one for one in told if one["subject"] == order_id]
    assert {one["type"] for one in mine} >= {
        "orders.order_placed.v1",
        "orders.order_confirmed.v1",
    }
    assert {one["traceparent"][3:35] for one in mine} == {TRACE}
    sent = await front.shop.events("messaging")
    assert TRACE in {one.get("traceparent", "")[3:35] for one in sent}


async def test_what_a_client_does_not_sample_is_not_collected(
    front: Front, collector: Collector
) -> None:
    unsampled = SENT[:-1] + "0"
    answer = await front.guest.send("GET /products", traceparent=unsampled)
    assert answer.status_code == 200
    sampled = "00-" + "1" * 32 + "-" + "2" * 16 + "-01"
    await front.guest.send("GET /products?q=a@b.example", traceparent=sampled)
    found = await until(
        lambda: [one for one in collector.spans() if one.name == "GET /products"]
    )
    assert {one.trace_id.hex() for one in found} == {"1" * 32}
    assert "b.example" not in repr(collector.spans())
    statements = [
        attributes(one)["db.query.text"]
        for one in collector.spans()
        if "db.query.text" in attributes(one)
    ]
    assert statements
    assert all(re.match(r"[A-Z]+", text) for text in statements)
