"""Starting again, starting twice, and starting where little is permitted."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import aiohttp
import psutil
import pytest

from tests.e2e import books, figures
from tests.e2e.away import OrderInSilence
from tests.e2e.people import Person, Stranger, new_goods
from tests.e2e.shops import ROOT, LiveShop

NOBODY = 65_534

pytestmark = pytest.mark.full


@contextmanager
def folder() -> Iterator[Path]:
    """A new folder that Postgres' own user can pass through."""
    with tempfile.TemporaryDirectory(prefix="souk-start-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@contextmanager
def running(shop: LiveShop) -> Iterator[LiveShop]:
    """The shop, started, and ended whatever comes."""
    try:
        shop.start()
        yield shop
    finally:
        shop.stop("--purge")


def keeper_of(shop: LiveShop, session: aiohttp.ClientSession) -> Person:
    """The administrator of a shop."""
    return Person(session, shop.url, **shop.credentials["admin"])


async def sells(shop: LiveShop, session: aiohttp.ClientSession) -> dict[str, str]:
    """Sell something to a guest; the order."""
    sku = await new_goods(keeper_of(shop, session), stock=1)
    guest = Stranger(session, shop.url)
    order: dict[str, str] = (await guest.order((sku, 1), email="a@mail.example")).ok(
        201
    )
    assert order["status"] == "CONFIRMED"
    return order


def processes_of(shop_mark: str) -> list[int]:
    """What still runs of a start."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("SOUK_RUN") == shop_mark:
                found.append(process.pid)
        except (psutil.Error, OSError):
            continue
    return found


async def test_two_shops_run_side_by_side_and_a_second_start_finds_all_data(
    live_shop: LiveShop, session: aiohttp.ClientSession
) -> None:
    with folder() as place, running(LiveShop(place / "data")) as other:
        sku = await new_goods(keeper_of(other, session), stock=5)
        person = await Person.register(Stranger(session, other.url))
        key = {"Idempotency_Key": str(uuid4())}
        order = (await person.order((sku, 2), headers=key)).ok(201)
        await sells(live_shop, session)
        mark = other.mark

        other.stop()

        assert processes_of(mark) == []
        await sells(live_shop, session)
        began = time.monotonic()
        other.start()
        figures.note(second_start_seconds=round(time.monotonic() - began, 1))
        person.url = other.url
        await person.log_in()
        assert (await person.get("/orders"))["items"][0]["id"] == order["id"]
        again = (await person.order((sku, 2), headers=key)).ok(201)
        assert again["id"] == order["id"]
        assert await books.stock(other, sku) == (5, 2)
        assert (await person.get("/products?q=lamp"))["items"]
        other.audit({order["id"]: "CONFIRMED"})


async def test_with_three_shards_a_bridge_that_was_away_tells_all_once(
    session: aiohttp.ClientSession,
) -> None:
    with (
        folder() as place,
        running(LiveShop(place / "data", variables={"SOUK_SHARDS": "3"})) as shop,
    ):
        keeper = keeper_of(shop, session)
        stranger = Stranger(session, shop.url)
        silence = await OrderInSilence.prepare(shop, stranger, keeper)
        await shop.kill("bridge/0")
        await silence.buy()
        await silence.all_came_once()
        shop.audit({silence.order["id"]: "CONFIRMED"})


def clone_into(place: Path) -> Path:
    """The project's files and its virtual environment, under another folder."""
    clone = place / "clone"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, clone / name)
    # Hard links: the same files at another path, without a second gigabyte.
    source = Path(sys.prefix)
    subprocess.run(["cp", "-al", str(source), str(clone / ".venv")], check=True)
    return clone


def mode_of(path: Path) -> int:
    """Who may do what with a folder."""
    return path.stat().st_mode & 0o777


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be root")
async def test_root_sells_from_a_folder_that_nobody_else_may_enter(
    session: aiohttp.ClientSession,
) -> None:
    with tempfile.TemporaryDirectory(prefix="souk-closed-", dir=ROOT.parent) as name:
        closed = Path(name)
        assert mode_of(closed) == 0o700
        clone = clone_into(closed)
        python = clone / ".venv" / "bin" / "python"
        with running(LiveShop(closed / "data", clone=clone, python=python)) as shop:
            await sells(shop, session)
        assert mode_of(closed) == 0o700


def everyones_python() -> Path | None:
    """An interpreter of this version that a normal user may run."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    places = (Path(sys.executable).resolve().parent, "/usr/bin", "/usr/local/bin")
    return next((p for p in (Path(q, name) for q in places) if _may_run(p)), None)


def _may_run(python: Path) -> bool:
    try:
        asked = subprocess.run([python, "-c", ""], user=NOBODY, check=False)
    except OSError:
        return False
    return asked.returncode == 0


def stand_on(python: Path, environment: Path) -> None:
    """Make a virtual environment, linked from another, use this interpreter."""
    configuration = environment / "pyvenv.cfg"
    configuration.unlink()  # the other one's file is this one
    configuration.write_text(f"home = {python.parent}\n")
    for name in ("python", "python3", python.name):
        (environment / "bin" / name).unlink(missing_ok=True)
        (environment / "bin" / name).symlink_to(python)


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests are this one already")
async def test_a_normal_user_sells(session: aiohttp.ClientSession) -> None:
    interpreter = everyones_python()
    if interpreter is None:
        pytest.skip("no interpreter of this version that everybody may run")
    with tempfile.TemporaryDirectory(prefix="souk-user-", dir=ROOT.parent) as name:
        place = Path(name)
        clone = clone_into(place)
        stand_on(interpreter, clone / ".venv")
        for owned in (place, clone):
            os.chown(owned, NOBODY, NOBODY)
        shop = LiveShop(
            place / "data",
            clone=clone,
            python=clone / ".venv" / "bin" / "python",
            variables={"HOME": str(place)},
            user=NOBODY,
        )
        with running(shop):
            await sells(shop, session)
            owners = {psutil.Process(p).uids().real for p in processes_of(shop.mark)}
            assert owners == {NOBODY}
