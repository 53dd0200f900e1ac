"""What a marketplace's clients do in each transaction, and what they write down."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from aiohttp import web

from scripts.benching.desk import Desk, Stopped, Tally
from scripts.benching.load import run
from scripts.benching.marketplace.customers import check_out
from scripts.benching.marketplace.data import (
    Draws,
    Good,
    Keys,
    Market,
    SellerAccount,
    Size,
    opening_price,
    rank_of,
    sku_of,
)
from scripts.benching.marketplace.filling import sheet_of
from scripts.benching.marketplace.journal import (
    Added,
    CheckedOut,
    Dashboard,
    Deleted,
    Delivered,
    Delivery,
    Listed,
    Repriced,
    Rewritten,
    Shipped,
    Stocked,
    Sums,
)
from scripts.benching.marketplace.scene import MIX
from scripts.benching.marketplace.sellers import (
    change_product,
    deliver,
    look,
    next_price,
    update_price,
)
from scripts.benching.marketplace.stalls import Stall, Stalls
from scripts.benching.scenes import Task
from tests.conftest import free_port

SIZE = Size(sellers=2, products_each=3, customers=4, pieces=20, lines_max=3)
PARCEL = {"seller_id": "seller-1", "order_id": "order-0", "shipment_id": "parcel"}


def _market(keys: Keys = Keys.UNIFORM) -> Market:
    return Market(
        name="OM",
        size=SIZE,
        keys=keys,
        sellers=tuple(
            SellerAccount(id=f"seller-{number}", token=f"token-{number}")
            for number in range(SIZE.sellers)
        ),
        goods=tuple(
            Good(
                sku=sku_of("OM", rank, 0),
                product_id=f"product-{rank}",
                price=opening_price(rank),
                version=1,
            )
            for rank in range(SIZE.products)
        ),
        admin_token="the-keeper",
    )


class _Shop:
    """A small market: carts by token, what is for sale, and what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.bodies: list[Any] = []
        self.for_sale = {sku_of("OM", rank, 0): 500 for rank in range(SIZE.products)}
        self.gone_at_order: set[str] = set()
        self.carts: dict[str, dict[str, int]] = {}
        self.lines = [("order-1", "OM-00000-0", 300), ("order-1", "OM-00002-0", 200)]

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        who = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.asked.append((request.method, request.path, who))
        self.bodies.append(body)
        token = request.headers.get("X-Cart-Token", "")
        first = request.path.split("/")[1]
        if first == "cart":
            return self._cart(request, token, body)
        if request.path == "/orders":
            return self._order(token)
        if request.path == "/sellers/dashboard":
            return web.json_response(self._dashboard())
        if request.path == "/shipments/deliveries":
            return web.json_response({"items": [PARCEL]})
        if first == "products" and request.method == "DELETE":
            return web.Response(status=204)
        said = {"id": str(UUID(int=7)), "version": 3}
        return web.json_response(said, status=201 if request.method == "POST" else 200)

    def _cart(self, request: web.Request, token: str, body: Any) -> web.Response:
        if request.method == "DELETE":
            del self.carts[token][request.path.rpartition("/")[2]]
            return web.Response(status=204)
        if body["sku"] not in self.for_sale:
            return web.json_response({"code": "not-found"}, status=404)
        token = token or f"cart-{len(self.carts)}"
        self.carts.setdefault(token, {})[body["sku"]] = body["quantity"]
        said = {"id": str(UUID(int=1)), "items": self._items(token)}
        return web.json_response(said | {"cart_token": token})

    def _items(self, token: str) -> list[dict[str, Any]]:
        return [
            {
                "sku": sku,
                "quantity": quantity,
                "unit_price": {"amount": 450, "currency": "USD"},
                "current_price": {"amount": self.for_sale[sku], "currency": "USD"},
            }
            for sku, quantity in self.carts[token].items()
        ]

    def _order(self, token: str) -> web.Response:
        if gone := sorted(self.gone_at_order & self.carts[token].keys()):
            self.gone_at_order.clear()
            errors = [{"field": sku, "code": "unknown-sku"} for sku in gone]
            problem = {"code": "unknown-sku", "errors": errors}
            return web.json_response(problem, status=422)
        said = {"id": str(UUID(int=2)), "items": self._items(token)}
        self.carts[token] = {}
        return web.json_response(said, status=201)

    def _dashboard(self) -> dict[str, Any]:
        money = {"amount": 500, "currency": "USD"}
        return {
            "seller_id": "seller-0",
            "totals": {"orders": 1, "items": 2, "amount": money},
            "items": [
                {
                    "order_id": order_id,
                    "sku": sku,
                    "quantity": 1,
                    "total": {"amount": amount, "currency": "USD"},
                }
                for order_id, sku, amount in self.lines
            ],
            "more": False,
        }


@asynccontextmanager
async def _open(shop: _Shop) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", shop.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


Act = Callable[[Stalls, Desk, random.Random], Awaitable[None]]


async def _act(shop: _Shop, stalls: Stalls, act: Act, seed: int = 1) -> Tally:
    async with _open(shop) as url, aiohttp.ClientSession() as session:
        desk = Desk(url, session, Tally())
        await act(stalls, desk, random.Random(seed))
        return desk.tally


def test_the_mix_is_the_benchmarks() -> None:
    assert [share for share, _ in MIX.values()] == [30, 5, 3, 2, 60]


async def test_a_checkout_adds_each_line_and_orders_what_the_cart_then_holds() -> None:
    shop, stalls = _Shop(), Stalls(_market(), 0, 1)
    tally = await _act(shop, stalls, check_out)
    *adds, order = stalls.journal
    added = [one for one in adds if isinstance(one, Added) and one.status == 200]
    assert added == adds
    assert 1 <= len(added) <= SIZE.lines_max
    assert isinstance(order, CheckedOut)
    assert order.order_id == tally.order_ids[0] == str(UUID(int=2))
    assert order.lines == {one.sku: one.quantity for one in added}
    assert {line.sku: line.price for line in order.shown} == dict.fromkeys(
        order.lines, 500
    )
    assert shop.bodies[-1]["accept_prices"] is True
    sellers = {rank_of(sku) % SIZE.sellers for sku in order.lines}
    assert list(stalls.unshipped) == [(order.order_id, one) for one in sorted(sellers)]
    assert len(stalls.customers) == SIZE.customers


async def test_whoever_finds_a_product_deleted_takes_the_one_in_its_place() -> None:
    shop, stalls = _Shop(), Stalls(_market(), 0, 1)
    shop.for_sale = {sku_of("OM", rank, 1): 500 for rank in range(SIZE.products)}
    tally = await _act(shop, stalls, check_out)
    order = stalls.journal[-1]
    assert isinstance(order, CheckedOut)
    assert {sku.rpartition("-")[2] for sku in order.lines} == {"1"}
    assert tally.order_ids
    assert not any(kind.startswith(("answered", "refused")) for kind in tally.by_kind)


async def test_an_order_goes_on_without_the_line_that_was_deleted() -> None:
    shop, stalls = _Shop(), Stalls(_market(), 0, 1)
    shop.gone_at_order = {sku_of("OM", rank, 0) for rank in range(0, 6, 2)}
    tally = await _act(shop, stalls, check_out, seed=5)
    refused, order = [one for one in stalls.journal if isinstance(one, CheckedOut)]
    assert (refused.status, refused.code) == (422, "unknown-sku")
    kept = {sku for sku in refused.lines if rank_of(sku) % 2}
    assert kept
    assert set(order.lines) == kept
    assert len(tally.order_ids) == 1


async def test_a_price_is_moved_by_its_seller_alone_and_written_down() -> None:
    shop, stalls = _Shop(), Stalls(_market(), 1, 2)
    await _act(shop, stalls, update_price)
    (entry,) = stalls.journal
    assert isinstance(entry, Repriced)
    rank = rank_of(entry.sku)
    assert rank % 2 == 1  # this process's part
    assert entry.version == 3
    old = opening_price(rank)
    assert 0 < abs(entry.price - old) <= old * 10 // 100
    path = f"/products/product-{rank}/variants/{entry.sku}"
    assert shop.asked == [("PUT", path, f"token-{rank % 2}")]
    assert stalls.own[rank].price == entry.price
    assert not stalls.own[rank].busy


async def test_a_deleted_product_makes_place_for_a_new_one_with_stock() -> None:
    shop, stalls = _Shop(), Stalls(_market(), 0, 1)
    kinds: set[type] = set()
    for seed in range(12):  # both ways are taken, each as often
        stalls = Stalls(_market(), 0, 1)
        await _act(shop, stalls, change_product, seed)
        first = type(stalls.journal[0])
        kinds.add(first)
        if first is Deleted:
            deleted, listed, stocked = stalls.journal
            assert isinstance(deleted, Deleted)
            assert isinstance(listed, Listed)
            assert isinstance(stocked, Stocked)
            rank = rank_of(listed.sku)
            assert deleted.sku == sku_of("OM", rank, 0)
            assert listed.sku == stocked.sku == sku_of("OM", rank, 1)
            assert stocked.pieces == SIZE.pieces
            assert stalls.generations[rank] == stalls.own[rank].generation == 1
            assert stalls.own[rank].product_id == str(UUID(int=7))
    assert kinds == {Deleted, Rewritten}


async def test_parcels_are_shipped_by_their_sellers_before_they_are_delivered() -> None:
    shop, stalls = _Shop(), Stalls(_market(), 0, 1)
    stalls.unshipped.extend(("order-1", number % 2) for number in range(12))
    await _act(shop, stalls, deliver)
    *ships, last = stalls.journal
    assert len(ships) == 10
    assert all(isinstance(one, Shipped) for one in ships)
    assert isinstance(last, Delivered)
    assert last.parcels == (Delivery(**PARCEL),)
    assert shop.asked[-1] == ("POST", "/shipments/deliveries", "the-keeper")
    assert shop.bodies[-1] == {"sellers_max": 10}
    assert len(stalls.unshipped) == 2


async def test_a_dashboard_is_summed_up_from_its_own_lines() -> None:
    shop, stalls = _Shop(), Stalls(_market(), 0, 1)
    await _act(shop, stalls, look)
    shop.lines = [shop.lines[0]] * 2
    await _act(shop, stalls, look)
    right, wrong = stalls.journal
    assert isinstance(right, Dashboard)
    assert isinstance(wrong, Dashboard)
    assert right.told == right.summed == Sums(orders=1, items=2, amount=500)
    assert right.twice == 0
    assert wrong.told != wrong.summed == Sums(orders=1, items=2, amount=600)
    assert wrong.twice == 1


async def test_a_refusal_ends_a_transaction_and_stands_in_the_journal() -> None:
    class Closed(_Shop):
        async def answer(self, request: web.Request) -> web.Response:
            return web.json_response({"code": "forbidden"}, status=403)

    stalls = Stalls(_market(), 0, 1)
    for act in (check_out, update_price, change_product, deliver, look):
        with pytest.raises(Stopped):
            await _act(Closed(), stalls, act)
    assert {(one.status, one.code) for one in stalls.journal} == {(403, "forbidden")}
    assert len(stalls.customers) == SIZE.customers
    assert not any(stall.busy for stall in stalls.own.values())


async def test_no_answer_stands_in_the_journal_too() -> None:
    stalls = Stalls(_market(), 0, 1)
    async with aiohttp.ClientSession() as session:
        desk = Desk(f"http://127.0.0.1:{free_port()}", session, Tally())
        with pytest.raises(Stopped):
            await look(stalls, desk, random.Random(1))
    assert [one.status for one in stalls.journal] == [0]
    assert list(desk.tally.by_kind) == ["answered by nobody"]


async def test_a_load_brings_its_journal_and_each_transactions_latencies() -> None:
    shop = _Shop()
    async with _open(shop) as url:
        task = Task(
            url=url,
            clients=3,
            seconds=30.0,
            requests_max=60,
            scene="marketplace uniform",
            market=_market(),
        )
        load = await run(task)
    assert load.good == 60
    assert sum(len(load.by_kind.get(name, ())) for name in MIX) == 60
    assert len(load.journal) >= 60
    assert load.by_kind["Seller Dashboard"]


def test_each_product_has_one_writer_and_each_customer_one_process() -> None:
    parts = [Stalls(_market(), number, 3) for number in range(3)]
    assert sorted(rank for part in parts for rank in part.own) == list(range(6))
    emails = [one.email for part in parts for one in part.customers]
    assert len(set(emails)) == len(emails) == SIZE.customers


async def test_a_product_is_not_written_by_two_clients_at_once() -> None:
    stalls = Stalls(_market(Keys.ZIPF), 0, 2)
    dice = random.Random(1)
    taken = [(await stalls.take(dice))[0] for _ in range(3)]
    assert sorted(taken) == [0, 2, 4]
    waiting = asyncio.create_task(stalls.take(dice))
    await asyncio.sleep(0)
    assert not waiting.done()
    stalls.own[2].busy = False
    assert (await waiting)[0] == 2


def test_a_sku_never_has_a_price_twice() -> None:
    dice = random.Random(1)
    stall = Stall(generation=0, product_id="p", price=1_000, prices={1_000})
    seen = [1_000]
    for _ in range(300):
        stall.price = next_price(stall, dice)
        stall.prices.add(stall.price)
        seen.append(stall.price)
    assert len(set(seen)) == len(seen)


def test_zipf_keys_are_drawn_by_rank_and_uniform_ones_alike() -> None:
    dice = random.Random(7)
    zipf = Counter(Draws(Keys.ZIPF, 4).one(dice) for _ in range(8_000))
    alike = Counter(Draws(Keys.UNIFORM, 4).one(dice) for _ in range(8_000))
    assert zipf[0] / zipf[3] == pytest.approx(4, rel=0.2)
    assert alike[0] / alike[3] == pytest.approx(1, rel=0.1)
    assert sorted(Draws(Keys.ZIPF, 4).some(dice, 9)) == [0, 1, 2, 3]


def test_a_sellers_sheet_has_its_ranks_with_price_and_pieces() -> None:
    lines = sheet_of("OM", range(1, 6, 2), 20).decode().splitlines()
    assert len(lines) == 4
    amount = f"{opening_price(3) / 100:.2f}"
    assert "market-good-om-00003-0,Market good OM-00003-0" in lines[2]
    assert f",{amount}," in lines[2]
    assert ",20," in lines[2]
