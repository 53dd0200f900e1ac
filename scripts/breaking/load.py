"""Mixed load: arrivals at a fixed rate, asked again until decided, all journalled."""

import asyncio
import random
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import msgspec

from scripts.benching.scenes import some, wish
from scripts.breaking.journal import Entry, Journal

ANSWER_SECONDS_MAX = 30.0
DECIDED_SECONDS_MAX = 150.0
AGAIN_SECONDS = 0.1
AGAIN_SECONDS_MAX = 1.0
UNDER_WAY_MAX = 128
# No decision: never begun, unknown, or still under way.
BUG = 500
ASK_AGAIN = frozenset({429, BUG, 502, 503, 504})
IN_PROGRESS = "request-in-progress"
LOST = (aiohttp.ClientError, TimeoutError, OSError)

ORDER, CHECKOUT, DECLINED, SILENT = "order", "checkout", "declined", "silent"
CANCEL, STOCK, LOGIN = "cancel", "stock", "login"
CANCELLED = "cancelled"
"""An order whose buyer cancels it as soon as it is answered."""
ORDERING = frozenset({ORDER, CHECKOUT, CANCELLED, DECLINED, SILENT})
SHARES = {
    ORDER: 0.45,
    CHECKOUT: 0.15,
    CANCELLED: 0.1,
    DECLINED: 0.1,
    SILENT: 0.05,
    STOCK: 0.1,
    LOGIN: 0.05,
}
TOKENS = {DECLINED: "tok_declined", SILENT: "tok_timeout"}

Answer = tuple[int, dict[str, Any]]


class Load:
    """The people who use the shop while it is broken.

    `late` counts arrivals that found `UNDER_WAY_MAX` requests still undecided: they are
    left out, so that a shop that is away is not met by a wall of requests.
    """

    def __init__(
        self,
        url: str,
        journal: Journal,
        skus: tuple[str, ...],
        admin: dict[str, str],
        seed: str,
    ) -> None:
        self.url = url
        self.late = 0
        self._journal = journal
        self._skus = skus
        self._admin = {key: admin[key] for key in ("email", "password")}
        self._token = ""
        self._dice = random.Random(seed)  # noqa: S311 - no secret
        self._under_way: set[asyncio.Task[None]] = set()

    async def run(self, rate: float, over: Callable[[], bool]) -> None:
        """Let people arrive until it is over, and wait for their last answers."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS_MAX)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(
            connector=connector, timeout=timeout
        ) as session:
            self._session = session
            await self._log_in(f"login-{uuid.uuid4()}")
            begun, count = time.monotonic(), 0
            while not over():
                early = begun + count / rate - time.monotonic()
                await asyncio.sleep(max(0.0, early))
                count += 1
                self._arrive()
            if self._under_way:
                await asyncio.gather(*self._under_way)

    def _arrive(self) -> None:
        (kind,) = self._dice.choices(list(SHARES), list(SHARES.values()))
        skus = tuple(some(self._dice, self._skus))
        if len(self._under_way) >= UNDER_WAY_MAX:
            self.late += 1
            return
        task = asyncio.create_task(self._act(kind, skus))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _act(self, kind: str, skus: tuple[str, ...]) -> None:
        key = str(uuid.uuid4())
        if kind == LOGIN:
            await self._log_in(f"login-{key}")
        elif kind == STOCK:
            await self._count(skus[0], key)
        else:
            await self._order(kind, skus, key)

    async def _order(self, kind: str, skus: tuple[str, ...], key: str) -> None:
        body, headers = wish(skus), {"Idempotency-Key": key}
        body["payment"]["token"] = TOKENS.get(kind, body["payment"]["token"])
        if kind == CHECKOUT:
            cart = await self._cart(skus[0])
            if cart is None:
                return
            del body["items"]
            headers |= cart
        entry = Entry(
            kind=kind,
            key=key,
            begun_at=time.time(),
            of=skus[0],
            buyer=body["email"],
        )

        async def ask() -> Answer:
            return await self._ask("POST", "/orders", body, headers)

        entry, said = await self._decided(entry, ask)
        if kind == CANCELLED and entry.good and "order_token" in said:
            await self._cancel(entry.order_id, said["order_token"])

    async def _cart(self, sku: str) -> dict[str, str] | None:
        """A cart with a piece, as its order names it; None where there came none."""
        key = str(uuid.uuid4())
        entry = Entry(kind="cart", key=key, begun_at=time.time(), of=sku)
        body, headers = {"sku": sku, "quantity": 1}, {"Idempotency-Key": key}

        async def ask() -> Answer:
            return await self._ask("POST", "/cart/items", body, headers)

        entry, said = await self._decided(entry, ask)
        return {"X-Cart-Token": said["cart_token"]} if entry.good else None

    async def _cancel(self, order_id: str, token: str) -> None:
        key = f"cancel-{order_id}"
        entry = Entry(kind=CANCEL, key=key, begun_at=time.time(), of=order_id)
        headers = {"X-Order-Token": token}

        async def ask() -> Answer:
            return await self._ask("PUT", f"/orders/{order_id}/cancel", None, headers)

        await self._decided(entry, ask)

    async def _count(self, sku: str, key: str) -> None:
        """Take pieces in, asked once: without a version it may act a second time."""
        entry = Entry(kind=STOCK, key=key, begun_at=time.time(), of=sku, pieces=1)
        body = {"reason": key, "delta": 1}

        async def ask() -> Answer:
            headers = {"Authorization": f"Bearer {self._token}"}
            return await self._ask("PUT", f"/inventory/{sku}", body, headers)

        await self._decided(entry, ask, seconds_max=0.0)

    async def _log_in(self, key: str) -> None:
        entry = Entry(kind=LOGIN, key=key, begun_at=time.time())

        async def ask() -> Answer:
            return await self._ask("POST", "/auth/login", self._admin, {})

        entry, said = await self._decided(entry, ask)
        self._token = said["access_token"] if entry.good else self._token

    async def _decided(
        self,
        entry: Entry,
        ask: Callable[[], Awaitable[Answer]],
        seconds_max: float = DECIDED_SECONDS_MAX,
    ) -> tuple[Entry, dict[str, Any]]:
        """Ask, and again with the same key until there is a decision; journal it."""
        self._journal.note(entry)
        until = time.monotonic() + seconds_max
        tries, bugs, status, said = 0, 0, 0, dict[str, Any]()
        while True:
            tries += 1
            try:
                status, said = await ask()
            except LOST as lost:
                status, said = 0, {"code": type(lost).__name__}
            bugs += status == BUG
            code = str(said.get("code", ""))
            undecided = not status or status in ASK_AGAIN or code == IN_PROGRESS
            if not undecided or time.monotonic() > until:
                break
            await asyncio.sleep(min(AGAIN_SECONDS * tries, AGAIN_SECONDS_MAX))
        entry = msgspec.structs.replace(
            entry,
            ended_at=time.time(),
            tries=tries,
            bugs=bugs,
            status=0 if undecided else status,
            code=code,
            order_id=str(said.get("order_id") or _own_id(entry, said)),
            order_status=str(said.get("status", "")) if "code" not in said else "",
        )
        self._journal.note(entry)
        return entry, said

    async def _ask(
        self, method: str, path: str, body: Any, headers: dict[str, str]
    ) -> Answer:
        async with self._session.request(
            method, self.url + path, json=body, headers=headers
        ) as answer:
            said = await answer.read()
            try:
                return answer.status, msgspec.json.decode(said, type=dict[str, Any])
            except msgspec.DecodeError:  # no document of ours: a server that stops
                return answer.status, {"code": "no-document"}


def _own_id(entry: Entry, said: dict[str, Any]) -> str:
    """The id of an order that was answered itself."""
    return str(said.get("id", "")) if entry.kind in (*ORDERING, CANCEL) else ""
