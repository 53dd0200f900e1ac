"""Asks a shop's domains as they ask each other, past HTTP: the errands of the kit.

`python -m scripts.benching.asking ADDRESS` joins the shop's Ray cluster and does what
each line of its input says:

- `hold`: one piece of one of the SKUs for an order that nobody made;
- `give-back`: all that this process has held, so that nothing of it is left;
- `order`: a guest's order of one piece, as the gateway sends it to orders;
- `ask`, `call`: see `pair`.
"""

import asyncio
import hashlib
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import msgspec
import uvloop

from bus.inventory import ReleaseStock, ReserveStock
from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal, Unavailable, Unknown
from bus.kit.settings import Settings
from bus.kit.values import Address
from bus.orders import OrderStatus, PlaceOrder, WantedLine
from scripts.auditing.place import Place
from scripts.benching.errands import (
    Done,
    Errand,
    Errands,
    errands,
    over_and_over,
    serve,
)
from scripts.benching.joining import environment, join
from scripts.benching.processes import ray_address
from scripts.benching.scenes import ADDRESS
from scripts.launcher.failures import Failure

ASK_SECONDS_MAX = 60.0
GIVEN_AT_ONCE_MAX = 2_000
GIVING_TRIES_MAX = 5
ATTEMPT, LATER_ATTEMPT = 1, 2

Ask = Callable[..., Awaitable[Any]]


@asynccontextmanager
async def asking(place: Place) -> AsyncIterator[Errands]:
    """Such a process beside the running shop; raises `Failure` where it cannot be."""
    address = ray_address(place.run.keeper.pid)
    if address is None:
        raise Failure("the shop's Ray cluster is not on this machine")
    words = ("scripts.benching.asking", address)
    async with errands(*words, environ=environment(place)) as sent:
        yield sent


class Asking:
    """What such a process does."""

    def __init__(self, ask: Ask, pair: Callable[[Errand], Awaitable[Done]]) -> None:
        self._ask = ask
        self._pair = pair
        self._held: list[tuple[UUID, str]] = []

    async def do(self, errand: Errand) -> Done:
        """One errand."""
        match errand.what:
            case "hold":
                return await over_and_over(errand, lambda: self._hold(errand.skus))
            case "give-back":
                return await self._give_back()
            case "order":
                return await self._order(errand)
            case "ask" | "call":
                return await self._pair(errand)
        raise ValueError(f"there is no errand {errand.what}")

    async def _hold(self, skus: tuple[str, ...]) -> None:
        order_id, sku = new_id(), random.choice(skus)  # noqa: S311 - no secret
        # Before the answer: one without an answer may have happened.
        self._held.append((order_id, sku))
        message = ReserveStock(order_id=order_id, sku=sku, quantity=1, attempt=ATTEMPT)
        await self._ask(message, timeout_seconds=ASK_SECONDS_MAX)

    async def _give_back(self) -> Done:
        """Give it back, then stop a later attempt as well.

        The second leaves no more than a tombstone: a hold with pieces is the trace of
        an order, and of an order that there never was the audit would ask where it is.
        """
        begun_at, held = time.time(), self._held
        self._held = []
        for attempt in (ATTEMPT, LATER_ATTEMPT):
            for start in range(0, len(held), GIVEN_AT_ONCE_MAX):
                some = held[start : start + GIVEN_AT_ONCE_MAX]
                await asyncio.gather(*(self._release(*one, attempt) for one in some))
        return Done(count=len(held), begun_at=begun_at, ended_at=time.time())

    async def _release(self, order_id: UUID, sku: str, attempt: int) -> None:
        message = ReleaseStock(order_id=order_id, sku=sku, attempt=attempt)
        for tries_left in reversed(range(GIVING_TRIES_MAX)):
            try:
                await self._ask(message, timeout_seconds=ASK_SECONDS_MAX)
                return
            except (Unavailable, Unknown):  # it acts once: ask again
                if not tries_left:
                    raise

    async def _order(self, errand: Errand) -> Done:
        confirmed: list[str] = []

        async def order() -> None:
            placed = await self._ask(
                wish(random.choice(errand.skus)),  # noqa: S311 - no secret
                timeout_seconds=ASK_SECONDS_MAX,
            )
            if placed.status is not OrderStatus.CONFIRMED:
                raise (
                    Refusal.of(placed.refusal) if placed.refusal else Unknown("pending")
                )
            confirmed.append(str(placed.order_id))

        done = await over_and_over(errand, order)
        return msgspec.structs.replace(done, ids=confirmed)


def wish(sku: str) -> PlaceOrder:
    """A new guest's order of one piece."""
    guest = new_id()
    return PlaceOrder(
        buyer=hashlib.sha256(guest.bytes).hexdigest(),
        user_id=None,
        shipping_address=Address(**ADDRESS),
        method="CREDIT_CARD",
        token="tok_visa",  # noqa: S106 - the sandbox bank's
        items=(WantedLine(sku=sku, quantity=1),),
        email=f"{guest.hex}@bench.example",
        token_hash=hashlib.sha256(guest.bytes + b"token").digest(),
    )


async def _serve() -> None:
    from actors.kit.reach import connect  # noqa: PLC0415 - it brings Ray
    from scripts.benching.pair import Pair  # noqa: PLC0415

    settings = Settings.load()
    await serve(Asking(connect(settings).ask, Pair(settings).do).do)


def main(address: str) -> None:
    """Join the cluster as a driver and do what is asked for."""
    join(address)
    uvloop.run(_serve())


if __name__ == "__main__":
    main(sys.argv[1])
