"""The auditor of a whole shop: killed it comes back, and it finds what a hand does."""

import os
import re
import signal

import aiohttp
import psutil
import pytest

from scripts.launcher.record import MARK
from tests.e2e.people import Person, new_goods
from tests.e2e.shops import LiveShop
from tests.e2e.waiting import until

BACK_SECONDS_MAX = 60.0
FOUND_SECONDS_MAX = 10.0

pytestmark = pytest.mark.full


async def metric(shop: LiveShop, name: str) -> str | None:
    """The value of a metric without labels; None where it is not told."""
    url = f"{shop.url}/metrics"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        found = re.search(rf"^{name} (\S+)$", await answer.text(), re.MULTILINE)
    return found[1] if found else None


def auditors(shop: LiveShop) -> list[psutil.Process]:
    """The processes of this shop that audit."""
    return [
        process
        for process in psutil.process_iter()
        if any("AuditorActor" in word for word in _words(process))
        and _environment(process).get(MARK) == shop.mark
    ]


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except psutil.Error:
        return {}


async def test_a_killed_auditor_comes_back_and_finds_what_a_hand_has_changed(
    live_shop: LiveShop, keeper: Person
) -> None:
    sku = await new_goods(keeper, stock=5)
    [before] = auditors(live_shop)
    os.kill(before.pid, signal.SIGKILL)

    async def back() -> bool:
        pids = [one.pid for one in auditors(live_shop)]
        up = await metric(live_shop, "souk_auditor_up")
        return before.pid not in pids and len(pids) == 1 and up == "1"

    await until(back, "another auditor", seconds=BACK_SECONDS_MAX)

    async def quiet() -> bool:
        return await metric(live_shop, "souk_audit_open_findings") == "0"

    await until(quiet, "no finding")
    change = "UPDATE stock SET on_hand = on_hand + $2 WHERE sku = $1"
    await live_shop.rows("inventory", change, sku, 1)

    async def told() -> bool:
        rows = await live_shop.rows(
            "notifications",
            "SELECT title FROM notifications WHERE body LIKE $1",
            f"{sku} %",
        )
        return {row["title"] for row in rows} == {"The books disagree: stock-movements"}

    try:
        await until(told, "the alert", seconds=FOUND_SECONDS_MAX)
        assert await metric(live_shop, "souk_audit_open_findings") == "1"
    finally:
        await live_shop.rows("inventory", change, sku, -1)
    await until(quiet, "it is mended", seconds=FOUND_SECONDS_MAX)
