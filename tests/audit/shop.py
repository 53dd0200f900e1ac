"""A whole shop that has sold: every kind of order, on real Postgres, NATS and bank."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from actors import DOMAINS
from actors.auditing.books import Books
from actors.kit.relay import Published
from bus.inventory import (
    AdjustStock,
    CreateWarehouse,
    HeldLine,
    HoldStock,
    ListWarehouses,
    TransferLine,
    TransferStock,
)
from bus.kit.addressing import new_id
from bus.kit.bridge import Bridge
from bus.kit.refusals import Refusal
from bus.kit.values import Address, Money
from bus.orders import (
    AdvanceOrder,
    CancelOrder,
    OrderStatus,
    PlaceOrder,
    Viewer,
    WantedLine,
)
from bus.payments import RefundOrder
from bus.users import CreateAccount
from scripts.auditing import loading, streaming
from scripts.auditing.place import consumed_kinds
from scripts.auditing.rest import wait_for_rest
from scripts.embedded.nats import Nats
from scripts.embedded.postgres import Postgres
from tests.conftest import free_port
from tests.kit.local import Databases, LocalShop, local_shop
from tests.payments.support import Bank, settings_for
from tests.products import product, variant

REST_SECONDS_MAX = 30.0
SHARDS = 2
ADMIN = Viewer(role="ADMIN")
HOME = Address(
    name="Ada Lovelace",
    line1="1 Analytical Row",
    city="London",
    postal_code="N1",
    country="GB",
    phone="+442079460001",
)
PIECES = {"MANY": 100, "FEW": 20, "LAST": 1}


class Sold:
    """The ended shop: its databases' addresses, its stream, and its orders by name."""

    def __init__(self, urls: dict[str, str], nats_url: str) -> None:
        self.urls = urls
        self.nats_url = nats_url
        self.ids: dict[str, UUID] = {}
        self._connections: dict[str, asyncpg.Connection] = {}

    async def connections(self) -> dict[str, asyncpg.Connection]:
        """A connection to each database, kept for all the tests."""
        for name in self.urls.keys() - self._connections.keys():
            self._connections[name] = await asyncpg.connect(self.urls[name])
        return {name: self._connections[name] for name in self.urls}

    async def close(self) -> None:
        """End the connections."""
        for connection in self._connections.values():
            await connection.close()

    async def books(self, connections: dict[str, Any], **more: Any) -> Books:
        """The books as these connections see them, and the stream as it is."""
        nats = await streaming.connect(self.nats_url)
        try:
            stream = await streaming.read_stream(nats)
        finally:
            await nats.close()
        shards = dict.fromkeys(DOMAINS, SHARDS)
        return await loading.load_books(
            connections,
            stream=stream,
            shards=shards,
            consumers=consumed_kinds(),
            **more,
        )

    async def forget_time(self) -> None:
        """What would come due while the tests look is put off."""
        for name in DOMAINS:
            connection = await asyncpg.connect(self.urls[name])
            await connection.execute("UPDATE due SET at = at + interval '1 day'")
            await connection.close()


@asynccontextmanager
async def sold_shop(
    postgres: Postgres, databases: Databases, folder: Path
) -> AsyncIterator[Sold]:
    """Open a shop, sell, end it; its databases and its NATS stay for the tests."""
    async with selling_shop(postgres, databases, folder) as (shop, sold, bank, bridge):
        await bridge.aclose()
        for name, number in list(shop.transport.shards):
            await shop.kill(name, number)
        bank.stop()
        await sold.forget_time()
        yield sold


@asynccontextmanager
async def selling_shop(
    postgres: Postgres, databases: Databases, folder: Path
) -> AsyncIterator[tuple[LocalShop, Sold, Bank, AsyncExitStack]]:
    """Open a shop, sell, come to rest; it runs on, with its bank and its bridge."""
    words = {"souk": "shop", "events": "reader", "services": "caller"}
    server = Nats(folder, free_port(), 0, passwords=words, consumers=tuple(DOMAINS))
    bank_urls = await postgres.ensure_all({"audited_bank": "bank"})
    bank = Bank(free_port(), bank_urls["audited_bank"], free_port())
    server.start()
    bank.start()
    try:
        await bank.ready()
        settings = settings_for(bank).changed(bcrypt_rounds=4)
        async with local_shop(
            databases, *DOMAINS, shards=SHARDS, settings=settings
        ) as shop:
            urls = {**shop.urls, "bank": bank_urls["audited_bank"]}
            sold = Sold(urls, server.url())
            async with AsyncExitStack() as bridge:
                await bridge.enter_async_context(_bridge(shop, server.url()))
                await _sell(shop, sold)
                await _rest(sold)
                try:
                    yield shop, sold, bank, bridge
                finally:
                    await sold.close()
    finally:
        bank.stop()
        server.stop()


@asynccontextmanager
async def _bridge(shop: LocalShop, url: str) -> AsyncIterator[None]:
    consumers: Any = {
        name: kind.consumes() for name, kind in shop._classes.items() if kind.consumes()
    }
    bridge = Bridge(
        url,
        shop.ask,
        name="bridge/0",
        consumers=consumers,
        services={},
        log=structlog.get_logger("bridge"),
    )

    async def publish(rows: Any) -> Published:
        return Published(*await bridge.publish(rows))

    shop.publish = publish
    await bridge.start()
    yield
    for consumer in bridge.consumers:
        await consumer.stop()
    # They must end while there still is a connection.
    await asyncio.wait([consumer._loop for consumer in bridge.consumers])
    await bridge.stop()


async def _rest(sold: Sold) -> None:
    nats = await streaming.connect(sold.nats_url)
    rest = await wait_for_rest(sold.urls, nats, REST_SECONDS_MAX)
    await nats.close()
    assert rest.reached, rest.words()


async def _sell(shop: LocalShop, sold: Sold) -> None:
    """One order of each kind, remembered by its name."""
    person = new_id()
    sold.ids["person"] = person
    await shop.ask(
        CreateAccount(
            user_id=person,
            email="grace@example.com",
            password="a-Long-enough-pass-phrase-7",
            first_name="Grace",
            last_name="Hopper",
        ),
        timeout_seconds=30,
    )
    for sku, pieces in PIECES.items():
        await shop.ask(product(f"Thing {sku}", variant(sku, 1000)))
        await shop.ask(AdjustStock(sku=sku, on_hand=pieces, reason="count"))
    place = _placing(shop, sold)
    await place("guest", {"MANY": 2, "FEW": 1})
    await place("confirmed", {"MANY": 1, "LAST": 1}, person)
    await place("other", {"MANY": 1}, person)
    await place("declined", {"FEW": 1}, person, token="tok_declined")
    await place("short", {"LAST": 1, "MANY": 1}, person)
    await place("pending", {"MANY": 3}, person, token="tok_pending_60000")
    await place("cancelled", {"FEW": 2}, person)
    await place("delivered", {"MANY": 2}, person)
    await place("partly", {"MANY": 4, "FEW": 2})
    await shop.ask(CancelOrder(order_id=sold.ids["cancelled"], viewer=ADMIN))
    await _advance(shop, sold.ids["delivered"], OrderStatus.SHIPPED)
    await _advance(shop, sold.ids["delivered"], OrderStatus.DELIVERED)
    await _advance(shop, sold.ids["partly"], OrderStatus.SHIPPED, {"MANY": 3})
    some = Money(100, "USD")
    order_id = sold.ids["other"]
    refund = RefundOrder(
        order_id=order_id, refund_id=new_id(order_id), amount=some, reason="a scratch"
    )
    await shop.ask(refund)
    await _sell_held(shop, sold, person)
    await _move(shop)


async def _move(shop: LocalShop) -> None:
    """A second warehouse, a transfer that was carried out, one that was not, holds."""
    east = new_id()
    await shop.ask(CreateWarehouse(warehouse_id=east, code="EAST", name="East"))
    [main] = [
        one.id for one in (await shop.ask(ListWarehouses())).items if one.id != east
    ]
    for pieces in (5, 500):
        move = TransferStock(
            transfer_id=new_id(),
            from_warehouse_id=main,
            to_warehouse_id=east,
            lines=(
                TransferLine(sku="FEW", quantity=1),
                TransferLine(sku="MANY", quantity=pieces),
            ),
            reason="nearer",
        )
        await shop.ask(move)
    for pieces in (2, 900):
        line = HeldLine(sku="MANY", quantity=pieces)
        with suppress(Refusal):  # there are not so many
            await shop.ask(
                HoldStock(hold_id=new_id(), lines=(line,), expires_seconds=9_000)
            )


async def _sell_held(shop: LocalShop, sold: Sold, person: UUID) -> None:
    """Orders of a shop that captures at shipment: waiting, let go, and taken."""
    shop.settings = shop.settings.changed(capture="shipment")
    for number in range(SHARDS):
        await shop.kill("payments", number)
        await shop.restart("payments", number)
    place = _placing(shop, sold)
    for name in ("held", "let_go", "taken"):
        await place(name, {"MANY": 1}, person)
    await shop.ask(CancelOrder(order_id=sold.ids["let_go"], viewer=ADMIN))
    await _advance(shop, sold.ids["taken"], OrderStatus.SHIPPED)


def _placing(shop: LocalShop, sold: Sold) -> Any:
    async def place(
        name: str, lines: dict[str, int], person: UUID | None = None, **more: Any
    ) -> None:
        buyer = str(person) if person else new_id().hex
        wanted = tuple(WantedLine(sku=sku, quantity=n) for sku, n in lines.items())
        command = PlaceOrder(
            buyer=buyer,
            user_id=person,
            shipping_address=HOME,
            method="CREDIT_CARD",
            token=more.pop("token", "tok_visa"),
            items=wanted,
            email=None if person else f"{name}@example.com",
        )
        placed = await shop.ask(command, id=new_id(), timeout_seconds=30)
        sold.ids[name] = placed.order_id

    return place


async def _advance(
    shop: LocalShop,
    order_id: UUID,
    status: OrderStatus,
    items: dict[str, int] | None = None,
) -> None:
    await shop.ask(
        AdvanceOrder(
            order_id=order_id,
            viewer=ADMIN,
            status=status,
            items=items,
            carrier="DHL",
            tracking_number="T-1",
        ),
        id=new_id(order_id),
    )


async def until_published(sold: Sold, subject: str, payload: dict[str, Any]) -> int:
    """Put an event into the stream, past the shop; returns its place there."""
    nats = await streaming.connect(sold.nats_url)
    headers = {"Nats-Msg-Id": payload["id"], "Souk-Reason": "planted"}
    try:
        body = json.dumps(payload).encode()
        done = await nats.jetstream().publish(subject, body, headers=headers)
    finally:
        await nats.close()
    return int(done.seq)


async def take_out(sold: Sold, stream: str, place: int) -> None:
    """Remove what was put into a stream."""
    nats = await streaming.connect(sold.nats_url)
    try:
        await nats.jetstream().delete_msg(stream, place)
    finally:
        await nats.close()
