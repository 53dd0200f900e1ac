"""The order process beside the same four steps as a durable workflow, in turns."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.util import find_spec
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import msgspec

from scripts.auditing.place import Place
from scripts.benching import workflow
from scripts.benching.aims import Aim
from scripts.benching.applied import Mark
from scripts.benching.asking import asking
from scripts.benching.errands import Done, Errand, Errands, Row, errands, row_of
from scripts.benching.measuring import Bench
from scripts.launcher import servers
from scripts.launcher.failures import Failure

ROUNDS = 3
WARM_SECONDS = 2.0
SETTLED_SECONDS_MAX = 60.0
POLL_SECONDS = 0.01
STATEMENT_SECONDS_MAX = 30.0
DATABASE = "souk_bench_workflow"
PROCESS_AIM = 10.0

_UNSETTLED = """SELECT EXISTS (SELECT FROM orders
  WHERE stage NOT IN ('SETTLED', 'AWAITING'))"""
_COMMITTED = "SELECT count(*) FROM holds WHERE state = 'COMMITTED'"


class ProcessRound(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of each; a second of ours counts until every order is settled."""

    orders: Done
    settled_per_second: float
    workflows: list[Done]

    @property
    def workflows_per_second(self) -> float:
        """Of all processes together."""
        begun = min(one.begun_at for one in self.workflows)
        ended = max(one.ended_at for one in self.workflows)
        return sum(one.count for one in self.workflows) / (ended - begun)

    @property
    def ratio(self) -> float:
        """Ours by theirs."""
        return self.settled_per_second / max(self.workflows_per_second, 1e-9)


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """All turns; `committed` counts the workflows whose last step is in the tables."""

    callers: int
    rounds: list[ProcessRound]
    committed: int
    warmed: int

    def faults(self) -> list[str]:
        """Why the figures do not count."""
        theirs = [done for one in self.rounds for done in one.workflows]
        found = [
            f"orders that did not end well: {done.errors}"
            for done in (*(one.orders for one in self.rounds), *theirs)
            if done.errors
        ]
        ended = self.warmed + sum(done.count for done in theirs)
        if self.committed != ended:
            found.append(f"{ended} workflows ended, {self.committed} are committed")
        return found

    def aims(self) -> list[Aim]:
        """What the order process is held against."""
        return [
            Aim(
                key="process-by-workflow",
                what="the order process by its four steps as a DBOS workflow",
                figure=median(one.ratio for one in self.rounds),
                aim=PROCESS_AIM,
            )
        ]

    def title(self) -> str:
        """What was done, for people."""
        turns = len(self.rounds)
        return f"orders, {self.callers} at a time, the middle of {turns} turns"

    def rows(self) -> list[Row]:
        """What it came to, for people."""
        ours = [one.orders for one in self.rounds]
        theirs = [done for one in self.rounds for done in one.workflows]
        settled = median(one.settled_per_second for one in self.rounds)
        beside = median(one.workflows_per_second for one in self.rounds)
        processes = len(self.rounds[0].workflows)
        return [
            row_of("the order process, answered", ours),
            Row("the order process, settled", settled),
            msgspec.structs.replace(
                row_of(f"DBOS workflows in {processes} processes", theirs),
                per_second=beside,
            ),
        ]


async def measure_process(bench: Bench, callers: int, seconds: float) -> Process:
    """Turns of workflows and of the shop's own orders."""
    if find_spec("dbos") is None:
        raise Failure("process is held against DBOS: install the extra `bench`")
    processes = min(len(os.sched_getaffinity(0)), callers)
    shares = [
        callers // processes + (n < callers % processes) for n in range(processes)
    ]
    async with _database(bench) as url, AsyncExitStack() as stack:
        ours = await stack.enter_async_context(asking(bench.place))
        theirs = [
            await stack.enter_async_context(
                errands("scripts.benching.workflow", url, environ=os.environ)
            )
            for _ in range(processes)
        ]
        # One after another: the first makes the tables that DBOS needs.
        warm = _order(bench, 1, min(WARM_SECONDS, seconds))
        warmed = sum([(await each.do(warm)).count for each in theirs])
        await ours.do(warm)
        mark = await bench.still()
        rounds = [
            await _turn(
                bench, ours, list(zip(theirs, shares, strict=True)), seconds, mark
            )
            for _ in range(ROUNDS)
        ]
        committed = await _ask(url, _COMMITTED)
    return Process(callers=callers, rounds=rounds, committed=committed, warmed=warmed)


async def _turn(
    bench: Bench,
    ours: Errands,
    theirs: list[tuple[Errands, int]],
    seconds: float,
    mark: Mark,
) -> ProcessRound:
    each = seconds / ROUNDS
    workflows = await asyncio.gather(
        *(one.do(_order(bench, share, each)) for one, share in theirs)
    )
    callers = sum(share for _, share in theirs)
    orders = await ours.do(_order(bench, callers, each))
    settled_at = await _settled(bench.place.urls["orders"])
    await bench.applied(mark)
    bench.answered += orders.ids
    return ProcessRound(
        orders=msgspec.structs.replace(orders, ids=[]),
        settled_per_second=orders.count / (settled_at - orders.begun_at),
        workflows=workflows,
    )


def _order(bench: Bench, callers: int, seconds: float) -> Errand:
    return Errand(what="order", callers=callers, seconds=seconds, skus=bench.skus)


async def _settled(url: str) -> float:
    """When no order is under way any more."""
    connection = await asyncpg.connect(url, command_timeout=STATEMENT_SECONDS_MAX)
    try:
        async with asyncio.timeout(SETTLED_SECONDS_MAX):
            while await connection.fetchval(_UNSETTLED):  # noqa: ASYNC110 - no event
                await asyncio.sleep(POLL_SECONDS)
        return time.time()
    except TimeoutError:
        raise Failure("the orders did not settle in time") from None
    finally:
        await connection.close()


@asynccontextmanager
async def _database(bench: Bench) -> AsyncIterator[str]:
    """A database on the shop's own server, with goods; dropped afterwards."""
    superuser = _superuser_url(bench.place)
    owner = await asyncpg.connect(superuser, command_timeout=STATEMENT_SECONDS_MAX)
    url = urlsplit(superuser)._replace(path=f"/{DATABASE}").geturl()
    try:
        await owner.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        await owner.execute(f"CREATE DATABASE {DATABASE}")
        await _fill(url, bench.skus)
        yield url
    finally:
        await owner.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        await owner.close()


def _superuser_url(place: Place) -> str:
    server = servers.postgres(
        place.settings.changed(pg_port=place.run.ports["postgres"])
    )
    try:
        url = server.superuser_url
    except OSError:
        raise Failure(
            "process needs the shop's own Postgres, not one outside"
        ) from None
    if urlsplit(url).port != urlsplit(place.urls["orders"]).port:
        raise Failure("process needs the shop's own Postgres, not one outside")
    return url


async def _fill(url: str, skus: tuple[str, ...]) -> None:
    connection = await asyncpg.connect(url, command_timeout=STATEMENT_SECONDS_MAX)
    try:
        for table in workflow.TABLES:
            await connection.execute(table)
        await connection.execute(workflow.STOCK, list(skus))
    finally:
        await connection.close()


async def _ask(url: str, question: str) -> Any:
    connection = await asyncpg.connect(url, command_timeout=STATEMENT_SECONDS_MAX)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()
