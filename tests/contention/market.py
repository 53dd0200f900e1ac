"""A shop for crowds: real orders, inventory, payments and bank, counted exactly."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from actors.kit.batch import Batches
from bus.inventory import AdjustStock, GetStock, StockView
from bus.kit.addressing import new_id, slot_of
from bus.orders import AdvanceOrder, OrderStatus, Placed, Viewer
from bus.payments import ListPayments, PaymentView
from scripts.embedded.postgres import Postgres
from tests.conftest import free_port
from tests.contention import books
from tests.kit.local import Databases, LocalShop, local_shop
from tests.orders.fakes import FakeProducts, order_of
from tests.payments.support import Bank, settings_for

DOMAINS = ("orders", "inventory", "products", "payments")
ADMIN = Viewer(role="ADMIN")
PATIENT_SECONDS = 30.0

_numbers = itertools.count(1)


class Market:
    """A shop with its bank; each test brings goods and buyers of its own."""

    def __init__(self, shop: LocalShop, bank: Bank, bank_url: str) -> None:
        self.shop = shop
        self.bank = bank
        self.bank_url = bank_url
        self.retried: list[str] = []
        self.answered: dict[UUID, str] = {}
        for number in range(shop.shard_count):
            for name in shop.urls:
                self._watch(shop.shard(name, number).batches)

    async def ask(self, message: Any, **options: Any) -> Any:
        """Ask as a patient client does."""
        options = {"timeout_seconds": PATIENT_SECONDS, **options}
        return await self.shop.ask(message, **options)

    def new_sku(self, shard: int | None = None) -> str:
        """A SKU that nobody has used; with `shard`, one that this shard owns."""
        while True:
            sku = f"C-{next(_numbers)}"
            if shard is None or slot_of(sku) % self.shop.shard_count == shard:
                return sku

    async def goods(self, *pieces: int, shards: tuple[int, ...] = ()) -> list[str]:
        """New SKUs with so many pieces each, one in each of `shards` if given."""
        wanted = [shard % self.shop.shard_count for shard in shards]
        skus = [self.new_sku(*wanted[n : n + 1]) for n in range(len(pieces))]
        for sku, count in zip(skus, pieces, strict=True):
            await self.ask(AdjustStock(sku=sku, on_hand=count, reason="count"))
        return skus

    async def buy(self, *lines: tuple[str, int], **more: Any) -> Placed:
        """A new buyer's order; what it was answered is remembered for the books."""
        buyer = more.pop("buyer", None) or new_id()
        wish = order_of(buyer, *lines, token=more.pop("token", "tok_visa"))
        placed: Placed = await self.ask(wish, id=more.pop("id", new_id(buyer)), **more)
        self.answered[placed.order_id] = str(placed.status)
        return placed

    async def ship(self, order_id: UUID, **more: Any) -> None:
        """Send all of an order."""
        await self.ask(
            AdvanceOrder(
                order_id=order_id,
                viewer=ADMIN,
                status=OrderStatus.SHIPPED,
                carrier="DHL",
                tracking_number="T-1",
            ),
            **{"id": new_id(order_id), **more},
        )

    async def stock(self, sku: str) -> tuple[int, int]:
        """Pieces on hand and reserved, over all warehouses."""
        view: StockView = await self.ask(GetStock(sku=sku))
        return (
            sum(row.on_hand for row in view.warehouses),
            sum(row.reserved for row in view.warehouses),
        )

    async def orders(self, sku: str) -> list[dict[str, Any]]:
        """The orders with a line of this SKU, oldest first."""
        return await self.shop.rows(
            "orders",
            """SELECT orders.* FROM orders JOIN order_lines ON order_id = orders.id
               WHERE sku = $1 ORDER BY orders.id""",
            sku,
        )

    async def payment(self, order_id: UUID) -> PaymentView:
        """The payment of an order."""
        page = await self.ask(ListPayments(order_id=order_id))
        found: PaymentView = page.items[0]
        return found

    async def check(self) -> None:
        """Rest; then all books agree, and no transaction was given up for another."""
        await books.rest(self.shop)
        found = await books.violations(self.shop, self.bank_url, self.answered)
        assert not found, "\n".join(f"{o.check} {o.ids}: {o.detail}" for o in found)
        assert not self.retried, f"given up and run again: {self.retried}"

    def _watch(self, batches: Batches) -> None:
        """Note every batch that the server gave up: a deadlock, a serialization."""
        again = batches._run_again

        async def noted(items: Any) -> None:
            self.retried.append(items[0].message.kind())
            await again(items)

        batches._run_again = noted  # type: ignore[method-assign]


@asynccontextmanager
async def open_market(
    postgres: Postgres, databases: Databases, shards: int, **changes: Any
) -> AsyncIterator[Market]:
    """A market; when it closes, the server has broken no deadlock in it.

    `changes` are settings that are other than by default.
    """
    name = f"market_bank_{next(_numbers)}"
    bank_url = (await postgres.ensure_all({name: "bank"}))[name]
    bank = Bank(free_port(), bank_url, free_port())
    bank.start()
    try:
        await bank.ready()
        FakeProducts.prices = {}
        async with local_shop(
            databases,
            *DOMAINS,
            shards=shards,
            settings=settings_for(bank).changed(**changes),
            fakes={"products": FakeProducts},
        ) as shop:
            yield Market(shop, bank, bank_url)
            for address in list(shop.transport.shards):
                await shop.kill(*address)
            await shop.leave()
            urls = list(shop.urls.values())
            assert await books.deadlocks(databases.superuser_url, urls) == 0
    finally:
        bank.stop()
