"""An order while the bridge is away, and what comes of it when it is back."""

from typing import Any

from tests.e2e import books
from tests.e2e.people import Person, Stranger, new_goods
from tests.e2e.shops import LiveShop
from tests.e2e.waiting import stays, until


class OrderInSilence:
    """A buyer who takes the last piece of something while nothing is published."""

    def __init__(self, shop: LiveShop, person: Person, sku: str) -> None:
        self.shop = shop
        self.person = person
        self.sku = sku
        self.order: dict[str, Any] = {}

    @classmethod
    async def prepare(
        cls, shop: LiveShop, stranger: Stranger, keeper: Person
    ) -> "OrderInSilence":
        """A new person and new goods, with all that follows from them done."""
        sku = await new_goods(keeper, stock=1)
        person = await Person.register(stranger)
        silence = cls(shop, person, sku)
        await until(silence.in_stock, "the goods are known to be in stock")
        await shop.rest()
        return silence

    async def in_stock(self) -> bool:
        """What products believe of the stock, from what inventory told them."""
        sql = "SELECT in_stock FROM sku_stock WHERE sku = $1"
        rows = await self.shop.rows("products", sql, self.sku)
        return bool(rows and rows[0]["in_stock"])

    async def buy(self) -> None:
        """Order the last piece; the answer does not wait for the bridge."""
        self.order = (await self.person.order((self.sku, 1))).ok(201)
        assert self.order["status"] == "CONFIRMED"
        await until(self._is_sold, "the piece is sold")

    async def nothing_moves(self) -> None:
        """No notification, no mail, no projection, no event."""

        async def still() -> bool:
            moved = [await self.person.told(), await self._mails()]
            return not any(moved) and await self.in_stock()

        await stays(still, "nothing follows an order")
        assert await self.shop.events(self.order["id"]) == []

    async def all_came_once(self) -> None:
        """Each notification, mail, projection and event: one time."""
        await until(self._told_all, "the notifications", seconds=45)
        await self.shop.rest()
        assert await self._told_all()
        assert len(await self._mails()) == 1
        assert not await self.in_stock()
        await books.told(self.shop, self.order["id"], "order_placed", "order_confirmed")
        books.check_stream(await self.shop.events())

    async def _is_sold(self) -> bool:
        held = await books.holds(self.shop, self.order["id"])
        return held == {self.sku: ("COMMITTED", 1)}

    async def _told_all(self) -> bool:
        kinds = sorted(one["type"] for one in await self.person.told())
        return kinds == ["ORDER_CONFIRMATION", "PAYMENT_SUCCESS"]

    async def _mails(self) -> list[Any]:
        number = self.order["number"].lower()
        return await self.person.mailbox(self.person.email, number)
