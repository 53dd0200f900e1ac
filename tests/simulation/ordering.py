"""The scene of an order: the shop's own orders, inventory and payments, and a bank.

People buy the last pieces, cancel, and are refunded, while everything breaks. What the
bank took, what the books say and what lies in the warehouse must agree at the end.
"""

import asyncio
import random
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from actors.inventory import Inventory
from actors.kit.domain import Domain
from actors.orders import Orders
from actors.payments import Payments
from actors.payments.provider import ChargeAsk
from bus.kit.addressing import new_id
from bus.kit.messages import Command
from bus.kit.refusals import Failed, Refusal, Unavailable, Unknown
from bus.orders import AdvanceOrder, CancelOrder, OrderStatus, PlaceOrder, Viewer
from bus.payments import ApplyWebhook, Outcome
from persistence.inventory.tables import metadata as inventory_tables
from persistence.kit.tables import domain_metadata
from persistence.orders.tables import metadata as orders_tables
from persistence.payments.tables import metadata as payments_tables
from tests.orders.fakes import FakeProducts, order_of
from tests.simulation.faults import FAULTS_SECONDS, RATES
from tests.simulation.invariants import Watch
from tests.simulation.loop import Node
from tests.simulation.provider import Bank, Teller
from tests.simulation.running import Scene
from tests.simulation.store.client import Outside
from tests.simulation.store.server import Server
from tests.simulation.world import Kinds, World

BUYERS = 5
SKUS = ("lamp", "chair", "rug")
PIECES = 4
AGAIN_SECONDS = 0.5
SOON_SECONDS = 120.0
STANDING_TIMERS = ("reconcile:", "reseal:", "provider:", "expire:")
KEYS = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
OVER = {OrderStatus.CANCELLED}


@dataclass
class Wish:
    """What a buyer asked for, and how that ended."""

    id: UUID
    message: Command[Any]
    answer: Any = None


class Ordering(Scene):
    """Nothing is lost between an order, its stock and its money."""

    kinds: Kinds = {
        "products": (FakeProducts, domain_metadata("products")),
        "inventory": (Inventory, inventory_tables),
        "payments": (Payments, payments_tables),
        "orders": (Orders, orders_tables),
    }
    shard_counts = {"products": 1, "payments": 1}
    end_seconds_max = 60.0
    """What the bank had lost is waited for 15 s, then its buyer orders once more; what
    is pending then settles within 8 s, and is asked for less and less often."""

    def __init__(self, world: World, watch: Watch, seed: int) -> None:
        super().__init__(world, watch, seed)
        self.wishes: list[Wish] = []
        self.bank = Bank(world.loop, random.Random(f"bank {seed}"))
        self.bank.note = world.note
        self.bank.tell = self._tell
        rates = random.Random(f"bank rates {seed}")
        self.bank.request_lost = rates.choice(RATES) * 3
        self.bank.answer_lost = rates.choice(RATES) * 3
        self.bank.late = rates.choice(RATES) * 3
        world.settings = world.settings.changed(
            encryption_keys=KEYS,
            capture=self.chance.choice(("order", "shipment")),
        )
        world.make_domain = self._make
        world.expects = _expected

    def _make(self, name: str) -> Domain:
        made = self.kinds[name][0]()
        if isinstance(made, Payments):
            made._providers = lambda: [Teller(self.bank)]  # type: ignore[method-assign]
        return made

    async def prepare(self) -> None:
        """A warehouse with a few pieces of everything."""
        outside = Outside(self.world.servers["inventory"])
        warehouse = new_id("warehouse")
        await outside.execute(
            """INSERT INTO warehouses (id, code, name, priority, version, created_at,
                 updated_at) VALUES ($1, 'MAIN', 'Main', 1, 1, now(), now())""",
            warehouse,
        )
        for sku in SKUS:
            await outside.execute(
                """INSERT INTO stock (sku, warehouse_id, on_hand, reserved, threshold,
                     version) VALUES ($1, $2, $3, 0, 0, 1)""",
                sku,
                warehouse,
                PIECES,
            )

    def begin(self) -> None:
        """Let people buy."""
        for number in range(BUYERS):
            node, asker = self.world.caller(f"buyer-{number}")
            self.asking.append(node.spawn(self._buy(node, asker.ask)))

    async def _buy(self, node: Node, ask: Any) -> None:
        chance = self.chance
        buyer = new_id()
        for _ in range(1 + chance.randrange(2)):
            await asyncio.sleep(chance.random() * FAULTS_SECONDS / 2)
            wanted = chance.sample(SKUS, 1 + chance.randrange(2))
            lines = [(sku, 1 + chance.randrange(2)) for sku in wanted]
            placed = await self._insist(ask, order_of(buyer, *lines), new_id(buyer))
            if isinstance(placed, Exception):
                continue
            await asyncio.sleep(chance.random() * 2)
            await self._follow(ask, buyer, placed.order_id)

    async def _follow(self, ask: Any, buyer: UUID, order_id: UUID) -> None:
        word = self.chance.random()
        if word < 0.4:
            cancel = CancelOrder(order_id=order_id, viewer=Viewer(user_id=buyer))
            await self._insist(ask, cancel, new_id(order_id))
        elif word < 0.6:
            ship = AdvanceOrder(
                order_id=order_id,
                viewer=Viewer(user_id=new_id(), role="ADMIN"),
                status=OrderStatus.SHIPPED,
                carrier="DHL",
                tracking_number="1",
            )
            await self._insist(ask, ship, new_id(order_id))

    async def _insist(self, ask: Any, message: Command[Any], id_: UUID) -> Any:
        """Ask again with the same id until it is known what has become of it."""
        wish = Wish(id_, message)
        self.wishes.append(wish)
        while wish.answer is None:
            try:
                wish.answer = await ask(
                    message,
                    id=wish.id,
                    join=True,
                    body_hash=b"body",
                    timeout_seconds=2 + self.chance.random() * 20,
                )
            except (Refusal, Failed) as end:
                wish.answer = end
            except (Unavailable, Unknown):
                await asyncio.sleep(AGAIN_SECONDS)
        return wish.answer

    def _tell(self, ask: ChargeAsk, outcome: Outcome) -> None:
        """Send a webhook until it is heard, as providers do for days."""
        word = ApplyWebhook(
            order_id=ask.order_id,
            attempt=ask.attempt,
            outcome=outcome,
            amount=ask.amount,
        )
        node, asker = self.world.caller(f"webhook-{len(self.asking)}")
        telling = self._insist(asker.ask, word, new_id(ask.order_id))
        self.asking.append(node.spawn(telling))

    # --- at rest -------------------------------------------------------------

    async def healed(self) -> None:
        """The bank answers everything again, and has heard what was long on its way."""
        self.bank.request_lost = self.bank.answer_lost = self.bank.late = 0.0
        await self.bank.heard()

    def ended(self) -> bool:
        """Whether everybody was answered, and nothing is left to do."""
        return (
            self.bank.charges_under_way == 0
            and all(task.done() for task in self.asking)
            and all(
                row["state"] == 2
                for server in self.world.servers.values()
                for row in server.rows("handled")
            )
            and not any(map(self._soon, self.world.servers.values()))
        )

    def _soon(self, server: Server) -> bool:
        """Whether something is due that belongs to work under way.

        Money that is held and orders that may still be paid have timers of days.
        """
        until = server.now() + timedelta(seconds=SOON_SECONDS)
        return any(
            row["at"] < until and not row["name"].startswith(STANDING_TIMERS)
            for row in server.rows("due")
        )

    def check(self) -> None:
        """Orders, stock and money agree."""
        self.orders = {r["id"]: r for r in self.world.servers["orders"].rows("orders")}
        self._check_answers()
        self._check_money()
        self._check_stock()

    def _check_answers(self) -> None:
        """An order that was answered is there, and once; a refused one is over."""
        wished: dict[UUID | None, int] = defaultdict(int)
        for wish in self.wishes:
            if isinstance(wish.message, PlaceOrder):
                wished[wish.message.user_id] += 1
                self._check_answer(wish, wish.message)
        made: dict[UUID, int] = defaultdict(int)
        for order in self.orders.values():
            made[order["user_id"]] += 1
            if order["stage"] not in ("SETTLED", "AWAITING"):
                self.world.violate(f"order {order['id']} is {order['stage']} for ever")
        for buyer, count in made.items():
            if count > wished[buyer]:
                self.world.violate(f"{buyer} wished {wished[buyer]} and got {count}")

    def _check_answer(self, wish: Wish, message: PlaceOrder) -> None:
        if wish.answer is None:
            self.world.violate(f"{wish} was never answered")
            return
        if not isinstance(wish.answer, Exception):
            order = self.orders.get(wish.answer.order_id)
            if order is None or order["user_id"] != message.user_id:
                self.world.violate(f"{wish} has no order")
            return
        order_id = getattr(wish.answer, "facts", {}).get("order_id")
        order = self.orders.get(UUID(order_id)) if order_id else None
        if order and order["status"] != OrderStatus.CANCELLED:
            self.world.violate(f"{wish} was refused and is {order['status']}")

    def _check_money(self) -> None:
        """Captured is ordered less refunded, in the bank and in the books."""
        payments = self.world.servers["payments"]
        books = {row["order_id"]: row for row in payments.rows("payments")}
        attempts = payments.rows("attempts")
        kept: dict[UUID, int] = defaultdict(int)
        for charge in self.bank.charges.values():
            taken = self.bank.taken(charge.key)
            back = sum(n for k, n in self.bank.refunds.values() if k == charge.key)
            kept[charge.order_id] += taken - back
        for order_id, order in self.orders.items():
            row = books.get(order_id)
            booked = row["captured_minor"] - row["refunded_minor"] if row else 0
            if booked != kept[order_id]:
                self.world.violate(
                    f"{order_id}: booked {booked}, kept {kept[order_id]}"
                )
            due = _due(order)
            if due is not None and due != kept[order_id]:
                self.world.violate(
                    f"{order_id} is {order['status']} {order['payment_status']} and"
                    f" was to pay {due}, the bank kept {kept[order_id]}"
                )
        if unknown := set(kept) - set(self.orders):
            self.world.violate(f"charged for no order: {unknown}")
        for row in attempts:
            if row["status"] in ("OPEN", "UNKNOWN", "CAPTURING", "VOIDING"):
                self.world.violate(f"attempt {row} is not known for ever")
        ledger: dict[UUID, int] = defaultdict(int)
        for line in payments.rows("ledger_lines"):
            ledger[line["transaction_id"]] += line["amount_minor"]
        if any(ledger.values()):
            self.world.violate(f"the ledger does not balance: {dict(ledger)}")

    def _check_stock(self) -> None:
        """0 ≤ reserved ≤ on hand, holds are what is reserved, none of what is over."""
        inventory = self.world.servers["inventory"]
        held: dict[str, int] = defaultdict(int)
        shipped: dict[str, int] = defaultdict(int)
        for hold in inventory.rows("holds"):
            order = self.orders.get(hold["order_id"])
            over = order is None or order["status"] in OVER
            if over and hold["state"] != "RELEASED":
                self.world.violate(f"{hold} of an order that is over")
            if hold["state"] != "RELEASED":
                held[hold["sku"]] += hold["quantity"] - hold["shipped"]
                shipped[hold["sku"]] += hold["shipped"]
        for row in inventory.rows("stock"):
            sku = row["sku"]
            if not 0 <= row["reserved"] <= row["on_hand"]:
                self.world.violate(f"stock {row}")
            if row["reserved"] != held[sku]:
                self.world.violate(f"{row} but {held[sku]} are held")
            if row["on_hand"] != PIECES - shipped[sku]:
                self.world.violate(f"{row} but {shipped[sku]} of {PIECES} left")


def _due(order: dict[str, Any]) -> int | None:
    """What the bank must have kept of an order; None where it may still change."""
    if order["status"] == OrderStatus.CANCELLED:
        return 0
    if order["status"] == OrderStatus.PENDING:
        return 0 if order["payment_status"] == "DECLINED" else None
    if order["payment_status"] == "AUTHORIZED":
        return 0
    return int(order["grand_amount"]) - int(order["refunded_amount"])


def _expected(event: str, _: Any) -> bool:
    """A provider that fails, or takes money late, is told of; that is no bug."""
    return event in ("provider-failing", "payment-late")
