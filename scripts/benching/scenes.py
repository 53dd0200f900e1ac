"""The scenarios: what one client does, once, at a shop."""

import random
import uuid
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from scripts.benching.desk import Desk
from scripts.benching.drawing import drawn, zipf
from scripts.benching.marketplace.data import Market

TWO_ITEMS_SHARE = 0.5
BUY_SHARE = 0.1
LINES_MAX = 20

ADDRESS = {
    "name": "Bench Buyer",
    "line1": "1 Loopback Lane",
    "city": "London",
    "postal_code": "N1 9GU",
    "country": "GB",
}


class Visit(msgspec.Struct, frozen=True):
    """A page that somebody looks at, of what kind it is, and whose token is shown."""

    kind: str
    path: str
    bearer: str = ""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What a load client does: which scene, how many clients, for how long.

    `rate` is in operations a second; 0 is a closed loop. `requests_max` bounds the
    operations. `fresh` visits pass the near cache by. `pieces` are of each line. It is
    the task of process `number` of `processes`.
    """

    url: str
    clients: int
    seconds: float
    requests_max: int
    scene: str = "noop"
    rate: float = 0.0
    skus: tuple[str, ...] = ()
    visits: tuple[Visit, ...] = ()
    pieces: int = 1
    fresh: bool = False
    seed: int = 0
    market: Market | None = None
    number: int = 0
    processes: int = 1


class Scene(Protocol):
    """One scenario; all clients of a process share it."""

    def __init__(self, task: Task) -> None: ...

    async def act(self, desk: Desk, dice: random.Random) -> None:
        """One operation; raises `Stopped` when the shop refuses a part of it."""


class Noop:
    """The route that does nothing."""

    def __init__(self, task: Task) -> None:
        del task

    async def act(self, desk: Desk, dice: random.Random) -> None:
        """Ask for nothing."""
        del dice
        await desk.ask("noop", "GET", "/dev/noop")


class Browse:
    """Somebody looks at one page."""

    def __init__(self, task: Task) -> None:
        self._visits = task.visits
        self._headers = {"Cache-Control": "no-cache"} if task.fresh else {}

    async def act(self, desk: Desk, dice: random.Random) -> None:
        """Look at one."""
        visit = dice.choice(self._visits)
        headers = dict(self._headers)
        if visit.bearer:
            headers["Authorization"] = f"Bearer {visit.bearer}"
        await desk.ask(visit.kind, "GET", visit.path, headers=headers)


class Hot:
    """Everybody looks at the one product, as all others do."""

    def __init__(self, task: Task) -> None:
        self._path = f"/products/{slug_of(task.skus[0])}"

    async def act(self, desk: Desk, dice: random.Random) -> None:
        """Look at it."""
        del dice
        await desk.ask("product", "GET", self._path)


class Orders:
    """A guest orders one or two SKUs in one request."""

    def __init__(self, task: Task) -> None:
        self._skus = task.skus

    async def act(self, desk: Desk, dice: random.Random) -> None:
        """Order."""
        await desk.order(wish(some(dice, self._skus)))


class Cart:
    """A guest fills a cart and looks at it: add, change, show."""

    def __init__(self, task: Task) -> None:
        self._skus = task.skus

    async def act(self, desk: Desk, dice: random.Random) -> None:
        """Three requests."""
        sku = dice.choice(self._skus)
        cart = await add(desk, sku, {})
        path = f"/cart/items/{sku}"
        await desk.ask("change", "PUT", path, {"quantity": 2}, cart)
        await desk.ask("show", "GET", "/cart", headers=cart)


class Checkout:
    """A guest puts two items into a cart and buys it, a request each."""

    def __init__(self, task: Task) -> None:
        self._skus = task.skus

    async def act(self, desk: Desk, dice: random.Random) -> None:
        """Three requests."""
        first, second = dice.sample(self._skus, 2)
        cart = await add(desk, first, {})
        await add(desk, second, cart)
        body = wish(())
        del body["items"]
        await desk.order(body, cart)


class Flash:
    """A buyer wants the one SKU, as all others do."""

    def __init__(self, task: Task) -> None:
        (self._sku,) = task.skus
        self._pieces = task.pieces

    async def act(self, desk: Desk, dice: random.Random) -> None:
        """Try to buy."""
        del dice
        await desk.order(wish((self._sku,), self._pieces))


class Mixed:
    """Of ten people nine look around and one buys."""

    def __init__(self, task: Task) -> None:
        self._browse, self._orders = Browse(task), Orders(task)

    async def act(self, desk: Desk, dice: random.Random) -> None:
        """One or the other."""
        buys = dice.random() < BUY_SHARE
        await (self._orders if buys else self._browse).act(desk, dice)


class Replay:
    """Orders as shops have them: one to twenty lines, and few SKUs sell most."""

    def __init__(self, task: Task) -> None:
        self._skus = task.skus
        self._weights = zipf(len(task.skus))

    async def act(self, desk: Desk, dice: random.Random) -> None:
        """Order."""
        count = dice.randint(1, min(LINES_MAX, len(self._skus)))
        await desk.order(wish(drawn(dice, self._skus, self._weights, count)))


SCENES: dict[str, type[Scene]] = {
    "noop": Noop,
    "hot": Hot,
    "browse": Browse,
    "cart": Cart,
    "checkout": Checkout,
    "orders": Orders,
    "flash": Flash,
    "mixed": Mixed,
    "replay": Replay,
}


async def add(desk: Desk, sku: str, cart: dict[str, str]) -> dict[str, str]:
    """Put a piece into a cart, a new one where none is named; how to name it."""
    body = {"sku": sku, "quantity": 1}
    said = await desk.ask("add", "POST", "/cart/items", body, cart)
    return cart or {"X-Cart-Token": msgspec.json.decode(said)["cart_token"]}


def some(dice: random.Random, skus: tuple[str, ...]) -> list[str]:
    """One or two SKUs."""
    return dice.sample(skus, 2 if dice.random() < TWO_ITEMS_SHARE else 1)


def wish(skus: Sequence[str], pieces: int = 1) -> dict[str, Any]:
    """A guest's order of these SKUs."""
    return {
        "email": f"{uuid.uuid4().hex}@bench.example",
        "shipping_address": ADDRESS,
        "payment": {"method": "CREDIT_CARD", "token": "tok_visa"},
        "items": [{"sku": sku, "quantity": pieces} for sku in skus],
    }


def slug_of(sku: str) -> str:
    """How the page of one of the bench's goods is named."""
    return f"bench-piece-{sku.lower()}"
