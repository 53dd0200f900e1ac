"""Looking around in a full shop: products, lists with filters and facets, searches."""

import random
from collections.abc import Callable
from urllib.parse import urlencode

import aiohttp
import msgspec
from rich.console import Console
from rich.table import Table
from slugify import slugify

from scripts.benching.catalogue import ROOT, Ware, read_shelves, slug_of
from scripts.benching.load import Load, in_process, share_of
from scripts.benching.measuring import errors_of
from scripts.benching.scenes import Task, Visit
from scripts.benching.series import Moment

VISITS = 4_000
REQUESTS_MAX = 100_000
NOOP_SHARE = 0.25
WARM_SECONDS = 3.0
METRICS_SECONDS_MAX = 10.0

FIGURES = ("per second", "p50 ms", "p95 ms", "p99 ms")
SHARES = {"product": 0.70, "list": 0.20, "search": 0.05, "mistyped": 0.05}
"""What people look at: one in twenty searches with a mistake in a word."""


class Browsed(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one number of clients, beside a route that does nothing.

    `near` has the near cache, `past` passes it by: by kind of visit how many a second
    and their latencies in ms; `hits` is the share that was answered from memory.
    """

    clients: int
    noop_per_second: float
    noop_p50_ms: float
    near: dict[str, float]
    past: dict[str, float]
    errors: dict[str, int]
    near_over_time: list[Moment] = []
    past_over_time: list[Moment] = []


async def measure_browsing(
    url: str, visits: tuple[Visit, ...], clients: int, seconds: float
) -> Browsed:
    """Nothing at all, then visits with the near cache, then past it."""

    async def load(share: float, *visits: Visit, fresh: bool = False) -> Load:
        return await in_process(
            Task(
                url=url,
                clients=clients,
                seconds=share,
                requests_max=REQUESTS_MAX,
                scene="browse" if visits else "noop",
                visits=visits,
                fresh=fresh,
                seed=clients,
            )
        )

    await load(WARM_SECONDS, *visits, fresh=True)
    noop = await load(seconds * NOOP_SHARE)
    before = await _near_hits(url)
    near = await load(seconds, *visits)
    hits = await _near_hits(url) - before
    past = await load(seconds, *visits, fresh=True)
    return Browsed(
        clients=clients,
        noop_per_second=noop.good / noop.seconds,
        noop_p50_ms=noop.at(0.5),
        near=_figures(near) | {"hits": hits / max(1, near.good)},
        past=_figures(past),
        errors=errors_of(near) | errors_of(past),
        near_over_time=near.moments(),
        past_over_time=past.moments(),
    )


def visits_of(goods: list[Ware]) -> tuple[Visit, ...]:
    """What people look at, the same each time; a few products are looked at most."""
    dice = random.Random(ROOT.int)  # noqa: S311 - no secret
    made: dict[str, Callable[[], str]] = {
        "product": lambda: f"/products/{slugify(_popular(dice, goods).draft.name)}",
        "list": lambda: _list(dice),
        "search": lambda: _search(_words(dice, goods)),
        "mistyped": lambda: _search(mistype(dice, _words(dice, goods))),
    }
    kinds = dice.choices(list(SHARES), list(SHARES.values()), k=VISITS)
    return tuple(Visit(kind, made[kind]()) for kind in kinds)


def mistype(dice: random.Random, words: str) -> str:
    """The words with one mistake in the longest: a letter lost, doubled or swapped."""
    longest = max(words.split(), key=len)
    at = dice.randrange(1, len(longest) - 1)
    head, one, two, tail = longest[:at], longest[at], longest[at + 1], longest[at + 2 :]
    wrong = dice.choice((head + two + tail, head + one + one + two + tail))
    if one != two and dice.random() < 1 / 3:
        wrong = head + two + one + tail
    return words.replace(longest, wrong)


def show_browsing(console: Console, browsed: list[Browsed]) -> None:
    """The figures as a table for people."""
    for one in browsed:
        console.print(
            f"\n{one.clients} clients; noop: {one.noop_per_second:.0f}/s, "
            f"{one.noop_p50_ms:.1f} ms"
        )
        table = Table(box=None, pad_edge=False)
        for heading in ("visit", "", *FIGURES):
            table.add_column(heading, justify="right")
        for where, figures in (("near cache", one.near), ("past it", one.past)):
            for kind in ("all", *SHARES):
                row = [figures.get(f"{kind} {figure}", 0.0) for figure in FIGURES]
                table.add_row(kind, where, *(f"{figure:.1f}" for figure in row))
        console.print(table)
        console.print(f"{one.near['hits']:.0%} were answered from the near cache")
        if one.errors:
            console.print(f"errors: {one.errors}")


def _figures(load: Load) -> dict[str, float]:
    found: dict[str, float] = {}
    for kind, taken in {"all": load.milliseconds, **load.by_kind}.items():
        times = (share_of(taken, share) for share in (0.5, 0.95, 0.99))
        row = zip(FIGURES, (len(taken) / load.seconds, *times), strict=True)
        found |= {f"{kind} {figure}": value for figure, value in row}
    return found


async def _near_hits(url: str) -> int:
    """How many answers the shop has given from its near cache so far."""
    timeout = aiohttp.ClientTimeout(total=METRICS_SECONDS_MAX)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.get(f"{url}/metrics") as answer,
    ):
        lines = (await answer.text()).splitlines()
    found = [line for line in lines if "near_hits_total" in line and line[0] != "#"]
    return int(sum(float(line.rsplit(" ", 1)[1]) for line in found))


def _popular(dice: random.Random, goods: list[Ware]) -> Ware:
    """Half of all visits see a hundredth of the goods."""
    among = len(goods) // 100 if dice.random() < 0.5 else len(goods)
    return goods[dice.randrange(max(1, among))]


def _words(dice: random.Random, goods: list[Ware]) -> str:
    """What somebody types who wants a thing: what it is, and how it should be."""
    _, manner, stuff, noun = dice.choice(goods).draft.name.lower().split()
    return dice.choice((noun, f"{manner} {noun}", f"{manner} {stuff} {noun}"))


def _list(dice: random.Random) -> str:
    """A shelf or what is above it, in some order, with some filters, and facets."""
    shelf = dice.choice(read_shelves())
    depth = dice.choice((1, 2, 3, 3, 3))
    query = [("category", slug_of(shelf.path[:depth])), ("facets", "true")]
    if dice.random() < 0.5:
        query.append(("in_stock", "true"))
    if dice.random() < 0.3:
        query.append(("max_price", str(dice.choice((2500, 5000, 10000, 25000)))))
    if dice.random() < 0.3:
        name, values = dice.choice(shelf.options)
        query.append(("option", f"{name}:{dice.choice(values)}"))
    if dice.random() < 0.5:
        query.append(("sort", dice.choice(("price", "-price", "rating"))))
    return f"/products?{urlencode(query)}"


def _search(words: str) -> str:
    return f"/products?{urlencode({'q': words})}"
