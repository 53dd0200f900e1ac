"""A flash sale: thousands want the few pieces of one SKU; and its ledger afterwards."""

import asyncio
import contextlib
import os
import signal
import time
import uuid

import aiohttp
import msgspec

from scripts.benching.desk import BY_DOMAIN, BY_EDGE, Desk, Stopped, Tally
from scripts.benching.goods import Seller
from scripts.benching.ledger import Ledger, Look, read_ledger, watching
from scripts.benching.measuring import Bench, Measured, Span, errors_of, measured
from scripts.benching.probe import Shard
from scripts.benching.scenes import Task, Visit, wish
from scripts.launcher.failures import Failure

AGAIN_SECONDS_MAX = 1.0
TRIES_SECONDS_MAX = 10.0
TRY_SECONDS = 0.02
LOOK_SECONDS = 0.02
ASIDE_SECONDS = 0.5
SALE_SECONDS_MAX = 300.0


class Sale(msgspec.Struct, frozen=True, kw_only=True):
    """One sale; `after` is its ledger when a piece was given back and sold again.

    Rates are of answers a second in a closed loop of as many clients; `answered` are
    the 201s. `again_seconds` is from the answer to a cancel until the next 201; None
    when there was none. `over_time` is its ledger the while, where that was watched.
    """

    buyers: int
    pieces: int
    killed: str
    answered: int
    errors: dict[str, int]
    seconds: float
    refused_by_edge: int
    refused_by_domain: int
    ledger: Ledger
    after: Ledger
    again_seconds: float | None
    over_time: list[Look] = []


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """How fast refusals are, beside reads and orders, a second."""

    clients: int
    hot_reads: float
    edge_refusals: float
    domain_refusals: float
    orders: float

    @property
    def edge_ratio(self) -> float:
        """The edge's refusals by hot reads."""
        return self.edge_refusals / self.hot_reads if self.hot_reads else 0.0

    @property
    def domain_ratio(self) -> float:
        """The domain's refusals by orders."""
        return self.domain_refusals / self.orders if self.orders else 0.0


def faults(sale: Sale) -> list[str]:
    """What is wrong with a sale; nothing when it was exact.

    Where an actor was killed an answer may be missing, and its order there all the
    same; never the other way round, and never a piece too many or too few.
    """
    found = [
        f"{fault} {when}"
        for when, ledger in (("after the sale", sale.ledger), ("at last", sale.after))
        for fault in _wrong(ledger, sale.pieces)
    ]
    if sale.answered > sale.pieces:
        found.append(f"{sale.answered} buyers of {sale.pieces} pieces got a 201")
    if not sale.killed and sale.answered != sale.ledger.sold:
        found.append(f"{sale.answered} got a 201, {sale.ledger.sold} pieces are sold")
    if not sale.killed and sale.errors:
        found.append(f"errors: {sale.errors}")
    refused = sale.refused_by_edge + sale.refused_by_domain
    asked = sale.answered + refused + sum(sale.errors.values())
    if asked != sale.buyers:
        found.append(f"{asked} answers to {sale.buyers} buyers")
    if sale.again_seconds is None or sale.again_seconds > AGAIN_SECONDS_MAX:
        found.append(f"a piece given back is for sale after {sale.again_seconds} s")
    return found


def _wrong(ledger: Ledger, pieces: int) -> list[str]:
    """What the databases should not say when all pieces are sold."""
    found = []
    if ledger.sold != pieces:
        found.append(f"{ledger.sold} pieces of {pieces} are sold")
    if ledger.pending:
        found.append(f"{ledger.pending} orders are pending")
    if ledger.on_hand != ledger.reserved:
        found.append(f"{ledger.on_hand - ledger.reserved} pieces are left")
    if ledger.on_hand > pieces:
        found.append(f"{ledger.on_hand} pieces are there")
    return found


async def sell(
    bench: Bench,
    seller: Seller,
    *,
    buyers: int,
    pieces: int,
    clients: int,
    kill: str = "",
    watch: bool = False,
) -> tuple[Sale, Measured]:
    """One sale of a new SKU, with what it costs; `kill` names a shard that dies.

    To `watch` is to look into both databases the while, which costs a little.
    """
    sku = f"FLASH-{uuid.uuid4().hex[:12].upper()}"
    await seller.make(sku, pieces)
    task = msgspec.structs.replace(
        bench.task("flash", clients, SALE_SECONDS_MAX),
        skus=(sku,),
        requests_max=buyers,
        rate=0.0,
    )

    span, looks = await _hold(bench, task, kill=kill, pieces=pieces, watch=watch)
    load, figures = span.load, measured(task, span)
    ledger = await read_ledger(bench.place, sku)
    bought = load.order_ids
    again = None
    if bought:
        again = await _sell_again(bench, seller, sku, bought[0])
        await bench.rest()
    refused = {name: len(load.by_kind.get(name, ())) for name in (BY_EDGE, BY_DOMAIN)}
    errors = {k: n for k, n in errors_of(load).items() if k not in refused}
    sale = Sale(
        buyers=buyers,
        pieces=pieces,
        killed=kill,
        answered=len(bought),
        errors=errors,
        seconds=load.seconds,
        refused_by_edge=refused[BY_EDGE],
        refused_by_domain=refused[BY_DOMAIN],
        ledger=ledger,
        after=await read_ledger(bench.place, sku),
        again_seconds=again,
        over_time=[look.since(load.begun_at) for look in _of_sale(looks, span)],
    )
    return sale, figures


async def _hold(
    bench: Bench, task: Task, *, kill: str, pieces: int, watch: bool
) -> tuple[Span, list[Look]]:
    """The sale itself, after as many clients that ask for nothing."""
    (sku,) = task.skus

    async def disturb(shards: dict[str, Shard]) -> None:
        await _kill_half_way(bench, shards[kill].pid, sku, pieces)

    noop = await bench.noop(task.clients)
    async with watching(bench.place, sku, look=watch) as looks:
        span = await bench.span(task, noop, disturb if kill else None)
    return span, looks


def _of_sale(looks: list[Look], span: Span) -> list[Look]:
    """Those from just before the first buyer until just after the last effect."""
    first, last = span.load.begun_at - ASIDE_SECONDS, span.applied_at + ASIDE_SECONDS
    return [look for look in looks if first <= look.at_seconds <= last]


async def refusal_rates(
    bench: Bench, seller: Seller, clients: int, seconds: float
) -> Rates:
    """Closed loops of what a sale is made of, one after another.

    Hot reads of one product; orders of a SKU that is known to be sold out, which the
    edge refuses; orders of two pieces of a SKU that has one, which only the domain can
    refuse; and orders that are confirmed.
    """
    gone, short, plenty = (f"FLASH-{name}" for name in ("GONE", "SHORT", "PLENTY"))
    product = await seller.make(gone, 1)
    for sku, pieces in ((short, 1), (plenty, 1_000_000)):
        await seller.make(sku, pieces)
    await _sell_out(bench, gone)
    base = bench.task("flash", clients, seconds)

    async def rate(kind: str, **change: object) -> float:
        task = msgspec.structs.replace(base, rate=0.0, **change)
        load = await bench.load(task)
        return len(load.by_kind.get(kind, ())) / load.seconds

    page = (Visit("product", f"/products/{product}"),)
    return Rates(
        clients=clients,
        hot_reads=await rate("product", scene="browse", visits=page),
        edge_refusals=await rate(BY_EDGE, skus=(gone,)),
        domain_refusals=await rate(BY_DOMAIN, skus=(short,), pieces=2),
        orders=await rate("order", skus=(plenty,)),
    )


async def _kill_half_way(bench: Bench, pid: int, sku: str, pieces: int) -> None:
    """End a shard by SIGKILL when half of the pieces are sold."""
    end = time.monotonic() + SALE_SECONDS_MAX
    while (await read_ledger(bench.place, sku)).sold < pieces // 2:
        if time.monotonic() > end:
            raise Failure(f"half of {sku} was not sold in {SALE_SECONDS_MAX:g} s")
        await asyncio.sleep(LOOK_SECONDS)
    os.kill(pid, signal.SIGKILL)


async def _sell_again(
    bench: Bench, seller: Seller, sku: str, order_id: str
) -> float | None:
    """Cancel an order, then try to buy its piece until somebody gets it."""
    await seller.call("PUT", f"/orders/{order_id}/cancel", None, 200)
    bench.answered.remove(order_id)
    begun = time.monotonic()
    async with aiohttp.ClientSession() as session:
        desk = Desk(bench.url, session, Tally())
        while time.monotonic() - begun < TRIES_SECONDS_MAX:
            with contextlib.suppress(Stopped):
                await desk.order(wish((sku,)))
                bench.answered += desk.tally.order_ids
                return time.monotonic() - begun
            await asyncio.sleep(TRY_SECONDS)
    return None


async def _sell_out(bench: Bench, sku: str) -> None:
    """Buy the pieces that are there, so that everybody hears that they are gone."""
    async with aiohttp.ClientSession() as session:
        desk = Desk(bench.url, session, Tally())
        end = time.monotonic() + TRIES_SECONDS_MAX
        while BY_EDGE not in desk.tally.by_kind:
            if time.monotonic() > end:
                raise Failure(f"the edge did not hear that {sku} is sold out")
            with contextlib.suppress(Stopped):
                await desk.order(wish((sku,)))
            await asyncio.sleep(TRY_SECONDS)
        bench.answered += desk.tally.order_ids
