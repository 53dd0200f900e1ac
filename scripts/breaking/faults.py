"""Faults as they are done to a shop that runs."""

import asyncio
import contextlib
import os
import shutil
import signal
import time
from pathlib import Path

import asyncpg
import msgspec
import psutil

from scripts.breaking.finding import Finder
from scripts.breaking.plan import Fault, Kind
from scripts.breaking.proxy import HOST
from scripts.breaking.world import World
from scripts.embedded.process import Identity
from scripts.launcher.failures import Failure
from scripts.launcher.record import Run

FIND_SECONDS_MAX = 20.0
FIND_AGAIN_SECONDS = 0.2
CONNECT_SECONDS_MAX = 5.0
LEAVE_SECONDS_MAX = 30.0
LEAVE_LOOK_SECONDS = 0.2
SERVERS_SECONDS_MAX = 90.0
FILL_BYTES = 1 << 20
FILLER = "filler"


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """A fault that was done; times are seconds since the epoch.

    `skipped` says why it was not done after all, `failed` what of the shop did not
    come back, `stayed` that a frozen owner, taken over and thawed, did not leave.
    """

    fault: Fault
    at: float
    ended_at: float
    pid: int = 0
    skipped: str = ""
    failed: str = ""
    stayed: bool = False


class Breaker:
    """Does a round's faults, one after another."""

    def __init__(self, data_dir: Path, finder: Finder, world: World | None) -> None:
        self._data_dir, self._finder, self._world = data_dir, finder, world
        self._leaving: dict[int, asyncio.Task[bool]] = {}

    async def run(self, faults: list[Fault]) -> list[Hit]:
        """All of them, each at its time or as soon as the one before is over."""
        begun, hits = time.monotonic(), list[Hit]()
        for fault in faults:
            await asyncio.sleep(max(0.0, begun + fault.at_seconds - time.monotonic()))
            hits.append(await self._do(fault))
        leaving, self._leaving = self._leaving, {}
        stayed = {pid: not await left for pid, left in leaving.items()}
        return [
            msgspec.structs.replace(hit, stayed=stayed.get(hit.pid, False))
            for hit in hits
        ]

    async def _do(self, fault: Fault) -> Hit:
        match fault.kind:
            case Kind.KILL | Kind.FREEZE | Kind.STREAM:
                return await self._process(fault)
            case Kind.EVERYTHING:
                return await self._everything(fault)
            case Kind.DISK:
                return await self._disk(fault)
        return await self._proxy(fault)

    async def _process(self, fault: Fault) -> Hit:
        found = await self._found(fault.target)
        if found is None:
            now = time.time()
            return Hit(fault=fault, at=now, ended_at=now, skipped="no process found")
        at = time.time()
        if fault.kind is Kind.FREEZE:
            await self._freeze(fault, found)
        elif fault.kind is Kind.STREAM:
            _send(found.pid, signal.SIGSTOP)  # it must not put back what is deleted
            stream = self._data_dir / "nats" / "jetstream"
            await asyncio.to_thread(shutil.rmtree, stream, ignore_errors=True)
            _send(found.pid, signal.SIGKILL)
        else:
            _send(found.pid, signal.SIGKILL)
        return Hit(fault=fault, at=at, ended_at=time.time(), pid=found.pid)

    async def _found(self, target: str) -> Identity | None:
        """The target's process, which may be on its way back from the last fault."""
        until = time.monotonic() + FIND_SECONDS_MAX
        while (found := await self._finder.find(target)) is None:
            if time.monotonic() > until:
                return None
            await asyncio.sleep(FIND_AGAIN_SECONDS)
        return found

    async def _freeze(self, fault: Fault, found: Identity) -> None:
        """Stop it, with all that it has started, and let it go on later."""
        family = [found, *_children(found.pid)]
        for one in family:
            _send(one.pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(fault.lasts_seconds)
        finally:
            for one in family:
                if one.alive():
                    _send(one.pid, signal.SIGCONT)
        if "/" in fault.target and not fault.target.startswith(("gateway", "standby")):
            leaves = asyncio.create_task(self._leaves(fault.target, found))
            self._leaving[found.pid] = leaves

    async def _leaves(self, target: str, thawed: Identity) -> bool:
        """Whether a thawed one is still the owner, or goes."""
        until = time.monotonic() + LEAVE_SECONDS_MAX
        while thawed.alive():
            if time.monotonic() > until:
                return await self._finder.find(target) == thawed
            await asyncio.sleep(LEAVE_LOOK_SECONDS)
        return True

    async def _everything(self, fault: Fault) -> Hit:
        world, failed = self._own(), ""
        at = await asyncio.to_thread(_kill_all, world)
        try:
            await _answer(world)
            await asyncio.to_thread(world.up)
        except Failure as error:
            failed = str(error)
        return Hit(fault=fault, at=at, ended_at=time.time(), failed=failed)

    async def _disk(self, fault: Fault) -> Hit:
        at, filler = time.time(), self._data_dir / FILLER
        try:
            await asyncio.to_thread(_fill, filler)
            await asyncio.sleep(fault.lasts_seconds)
        finally:
            filler.unlink(missing_ok=True)
        return Hit(fault=fault, at=at, ended_at=time.time())

    async def _proxy(self, fault: Fault) -> Hit:
        proxy, at = self._own().proxies[fault.target], time.time()
        match fault.kind:
            case Kind.CUT:
                await proxy.cut(fault.lasts_seconds)
            case Kind.DELAY:
                await proxy.delay(fault.lasts_seconds, fault.delay_seconds)
            case Kind.DROP:
                await proxy.drop(fault.lasts_seconds)
            case _:
                raise ValueError(f"nobody does {fault.kind}")
        return Hit(fault=fault, at=at, ended_at=time.time())

    def _own(self) -> World:
        if self._world is None:
            raise Failure("this fault needs a shop of the breaker's own: --start")
        return self._world


def _children(pid: int) -> list[Identity]:
    with contextlib.suppress(psutil.Error):
        children = psutil.Process(pid).children(recursive=True)
        return [one for child in children if (one := Identity.of(child.pid))]
    return []


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _kill_all(world: World) -> float:
    """As when the power goes: nobody lives to see the others die; when it went."""
    run = Run.read(world.data_dir)
    found = [] if run is None else run.leftovers()
    found += [one for server in world.servers.values() if (one := server.running())]
    family = {one: None for each in found for one in (each, *_children(each.pid))}
    at = time.time()
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for one in family:
            _send(one.pid, number)
    return at


async def _answer(world: World) -> None:
    """Wait until the servers, which are looked after, can be worked with again."""
    until = time.monotonic() + SERVERS_SECONDS_MAX
    for name, look in (("Postgres", _postgres), ("NATS", _nats)):
        while True:
            try:
                await look(world)
                break
            except (OSError, asyncpg.PostgresError) as error:
                if time.monotonic() > until:
                    raise Failure(f"{name} does not come back: {error}") from error
                await asyncio.sleep(FIND_AGAIN_SECONDS)


async def _postgres(world: World) -> None:
    url = world.urls["orders"]
    connection = await asyncpg.connect(url, timeout=CONNECT_SECONDS_MAX)
    await connection.close(timeout=CONNECT_SECONDS_MAX)


async def _nats(world: World) -> None:
    async with asyncio.timeout(CONNECT_SECONDS_MAX):
        _, writer = await asyncio.open_connection(HOST, world.ports["nats"])
        writer.close()


def _fill(path: Path) -> None:
    """Take every byte that the file system has left."""
    with path.open("wb") as file, contextlib.suppress(OSError):
        place = 0
        while True:  # until there is no room: OSError
            os.posix_fallocate(file.fileno(), place, FILL_BYTES)
            place += FILL_BYTES
