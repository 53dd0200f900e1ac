"""The aims of the scenes: how much of nothing an order is, what it costs, how many."""

from collections.abc import Iterator, Sequence

from scripts.benching.aims import Aim, Side
from scripts.benching.browsing import Browsed
from scripts.benching.measuring import Measured

AIMED_CLIENTS = 64
"""The aims are of a closed loop of so many clients."""

ORDERS_BY_NOOP, ORDER_CPU_MS = 0.25, 4.0
CHECKOUTS_PER_SECOND = 40 * 8.8
"""Forty times the 8.8 guest checkouts a second that Vendure does on such a machine."""

NAMED_MAX = 4


def scene_aims(measured: Sequence[Measured | Browsed]) -> Iterator[Aim]:
    """Those of the loads that have any."""
    for one in measured:
        if not isinstance(one, Measured) or one.asked_per_second:
            continue
        if one.clients != AIMED_CLIENTS:
            continue
        if one.scene == "orders":
            yield from _orders(one)
        elif one.scene == "checkout":
            yield _checkout(one)


def _orders(one: Measured) -> Iterator[Aim]:
    noop = f"{one.noop_per_second:.0f} requests a second that do nothing"
    yield Aim(
        key="orders-by-noop",
        what="one-POST orders, to their last effect, by requests that do nothing",
        figure=one.ratio,
        aim=ORDERS_BY_NOOP,
        reason=f"{one.per_second:.0f} orders a second beside {noop}; {_spent(one)}",
    )
    yield Aim(
        key="order-cpu",
        what="processor time of one order over all processes but the load client",
        figure=sum(one.cpu_ms_each.values()),
        aim=ORDER_CPU_MS,
        side=Side.AT_MOST,
        unit="CPU-ms",
        reason=_spent(one),
    )


def _checkout(one: Measured) -> Aim:
    return Aim(
        key="checkouts",
        what="guest checkouts (three requests each), to their last effect",
        figure=one.per_second,
        aim=CHECKOUTS_PER_SECOND,
        unit="a second",
        reason=_spent(one),
    )


def _spent(one: Measured) -> str:
    """Where the processors' time went, the most first: why it is no more."""
    most = sorted(one.cpu_ms_each.items(), key=lambda each: -each[1])[:NAMED_MAX]
    named = ", ".join(f"{name} {cost:.2f}" for name, cost in most)
    whole = sum(one.cpu_ms_each.values())
    return f"{whole:.1f} CPU-ms each: {named}; load client {one.client_cpu_ms_each:.2f}"
