"""What customers do: fill a cart, one request a line, then buy it."""

import random

import msgspec

from scripts.benching.desk import GOOD, Desk, Stopped
from scripts.benching.marketplace.answers import Cart, Order, Problem, problem_of
from scripts.benching.marketplace.data import rank_of, sku_of
from scripts.benching.marketplace.journal import Added, CheckedOut
from scripts.benching.marketplace.stalls import Asking, Customer, Stalls, count
from scripts.benching.scenes import ADDRESS

TRIES_MAX = 5
"""Of a line or an order whose product was deleted just now."""
GONE = "add of a deleted product"
REFUSED = "order of a deleted product"
UNKNOWN_SKU = "unknown-sku"


async def check_out(stalls: Stalls, desk: Desk, dice: random.Random) -> None:
    """Customer Checkout: one to ten lines, each of one to ten pieces, then the order.

    Whoever finds a product deleted takes another; whoever is told so by the order
    takes its line out and orders the rest.
    """
    # There are as many customers as clients, so one of them is free.
    customer = stalls.customers.popleft()
    try:
        for rank in _wanted(stalls, dice):
            await _add(stalls, desk, dice, customer, rank)
        await _order(stalls, desk, dice, customer)
    except BaseException:
        customer.start_anew()
        raise
    finally:
        stalls.customers.append(customer)


async def _order(
    stalls: Stalls, desk: Desk, dice: random.Random, customer: Customer
) -> None:
    """Buy what is in the cart; something else where nothing of it is left."""
    for _ in range(TRIES_MAX):
        while not customer.lines:
            await _add(stalls, desk, dice, customer, stalls.products.one(dice))
        if await _buy(stalls, desk, customer):
            return
    raise Stopped


def _wanted(stalls: Stalls, dice: random.Random) -> list[int]:
    lines = dice.randint(1, stalls.market.size.lines_max)
    return stalls.products.some(dice, lines)


async def _add(
    stalls: Stalls, desk: Desk, dice: random.Random, customer: Customer, rank: int
) -> None:
    """Put a product into the cart, the newest one that is known at its rank."""
    quantity = dice.randint(1, stalls.market.size.quantity_max)
    known = stalls.generations[rank]
    for generation in (known, known + 1):
        sku = sku_of(stalls.market.name, rank, generation)
        body = {"sku": sku, "quantity": quantity}
        asking = await stalls.ask(
            desk.exchange("POST", "/cart/items", body, customer.headers)
        )
        cart = _cart_of(asking)
        stalls.journal.append(
            Added(
                buyer=customer.cart_id or (str(cart.id) if cart else ""),
                sku=sku,
                quantity=quantity,
                shown=cart.shown() if cart else (),
                **asking.said(),
            )
        )
        if cart is not None:
            desk.note("add", asking.answer)
            stalls.generations[rank] = max(generation, stalls.generations[rank])
            customer.token = customer.token or cart.cart_token or ""
            customer.cart_id = str(cart.id)
            customer.lines = {line.sku: line.quantity for line in cart.items}
            return
        if asking.answer.status != 404:
            count(desk, "add", asking)
        desk.note(GONE, asking.answer)


def _cart_of(asking: Asking) -> Cart | None:
    if asking.answer.status not in GOOD:
        return None
    return msgspec.json.decode(asking.answer.body, type=Cart)


async def _buy(stalls: Stalls, desk: Desk, customer: Customer) -> bool:
    """Order the cart; False when a line of it was deleted and is taken out now."""
    body = {
        "email": customer.email,
        "shipping_address": ADDRESS,
        "payment": {"method": "CREDIT_CARD", "token": "tok_visa"},
        "accept_prices": True,
    }
    asking = await stalls.ask(desk.exchange("POST", "/orders", body, customer.headers))
    status, said = asking.answer.status, asking.answer.body
    order = msgspec.json.decode(said, type=Order) if status in (201, 202) else None
    problem = Problem() if order else problem_of(said)
    stalls.journal.append(
        CheckedOut(
            buyer=customer.cart_id,
            lines=dict(customer.lines),
            order_id=str(order.id) if order else problem.order_id,
            shown=tuple(line.priced() for line in order.items) if order else (),
            **asking.said(),
        )
    )
    if problem.code == UNKNOWN_SKU:
        desk.note(REFUSED, asking.answer)
        await _take_out(stalls, desk, customer, problem)
        return False
    count(desk, "order", asking)
    if order is not None:
        desk.tally.order_ids.append(str(order.id))
        _remember(stalls, order)
    customer.lines = {}
    return True


async def _take_out(
    stalls: Stalls, desk: Desk, customer: Customer, problem: Problem
) -> None:
    for error in problem.errors:
        path = f"/cart/items/{error.field}"
        asking = await stalls.ask(
            desk.exchange("DELETE", path, headers=customer.headers)
        )
        count(desk, "take out", asking)
        customer.lines.pop(error.field, None)


def _remember(stalls: Stalls, order: Order) -> None:
    """The parcels that sellers are to ship of it, one each."""
    sellers = {rank_of(line.sku) % len(stalls.market.sellers) for line in order.items}
    stalls.unshipped.extend((str(order.id), seller) for seller in sorted(sellers))
