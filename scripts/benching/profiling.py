"""`bench profile`: flame graphs of gateway, orders and inventory while a load runs."""

import asyncio
import contextlib
import sys
import tempfile
from pathlib import Path

import msgspec

from bus.kit.settings import Settings
from scripts.auditing.commands import Verdict, run_audit
from scripts.auditing.place import Place, running_place
from scripts.benching.costs import not_durable, read_durability
from scripts.benching.flames import draw, innermost, packages, read_stacks
from scripts.benching.goods import prepare, signed_in
from scripts.benching.measuring import Bench
from scripts.benching.probe import Shard
from scripts.benching.processes import pids_of
from scripts.launcher.environment import ROOT
from scripts.launcher.failures import Failure
from scripts.launcher.keys import read_credentials

RATE_HZ = 50
"""More, and a machine of two processors comes late with its own samples."""

LEAD_SECONDS = 1.0
EXTRA_SECONDS_MAX = 30.0
AUDIT_SECONDS = 30.0
NAMED_MAX = 8
FOLDER = ROOT / "docs" / "performance"
PY_SPY = Path(sys.executable).with_name("py-spy")


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """Where one process' time went; shares are of its `samples`.

    Only moments in which it ran Python are sampled (it held the interpreter's lock);
    `busy` is their share of all moments that were looked at.
    """

    name: str
    samples: int
    seconds: float
    busy: float
    packages: dict[str, float]
    functions: dict[str, float]


class Profiled(msgspec.Struct, frozen=True, kw_only=True):
    """What a run of `bench profile` found, under which load."""

    scene: str
    clients: int
    per_second: float
    profiles: list[Profile]
    durability: dict[str, dict[str, str]]
    audit: Verdict

    def faults(self) -> list[str]:
        """Why it does not count; nothing when it does."""
        found = [
            f"{one.check}: {one.ids}: {one.detail}" for one in self.audit.violations
        ]
        return found + not_durable(self.durability)


async def profile(
    settings: Settings, *, scene: str, clients: int, seconds: float
) -> tuple[Profiled, dict[str, str]]:
    """Load the shop, look into its processes the while; and their stacks by name."""
    place = running_place(settings)
    accounts = read_credentials(place.settings.data_dir)
    if "admin" not in accounts:
        raise Failure("there are no demo accounts in credentials.json (SOUK_DEMO=0?)")
    login = {key: accounts["admin"][key] for key in ("email", "password")}
    async with signed_in(place.run.urls["local"], login) as seller:
        bench = Bench(place, await prepare(seller), seconds)
        await bench.warm_up(scene)
        pids = processes_of(place, await bench.shards())
        task = bench.task(scene, clients, seconds + 2 * LEAD_SECONDS)
        load, texts = await asyncio.gather(bench.load(task), _record(pids, seconds))
        await bench.rest()
    found = Profiled(
        scene=scene,
        clients=clients,
        per_second=load.good / load.seconds,
        profiles=[summed(name, text, seconds) for name, text in texts.items()],
        durability=await read_durability(place.urls),
        audit=await run_audit(place, settle_seconds=AUDIT_SECONDS),
    )
    return found, texts


def draw_all(found: Profiled, texts: dict[str, str], folder: Path) -> None:
    """A flame graph of each into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for one in found.profiles:
        load = f"{found.scene}, {found.clients} clients, {one.seconds:g} s"
        drawn = draw(f"{one.name}: {load}, Python only", read_stacks(texts[one.name]))
        (folder / f"{one.name}.svg").write_text(drawn, encoding="utf-8")


def processes_of(place: Place, shards: dict[str, Shard]) -> dict[str, int]:
    """The process of a gateway replica, and of the first shards of the two domains."""
    found = {
        name: shards[f"{name}/0"].pid
        for name in ("orders", "inventory")
        if f"{name}/0" in shards
    }
    for pid in pids_of(place.run.keeper.pid, "gateway")[:1]:
        found["gateway"] = pid
    if missing := {"gateway", "orders", "inventory"} - found.keys():
        raise Failure(f"no process was found of: {', '.join(sorted(missing))}")
    return found


def summed(name: str, text: str, seconds: float) -> Profile:
    """The stacks of one process as shares."""
    stacks = read_stacks(text)
    samples = sum(stacks.values())
    if not samples:
        raise Failure(f"{name} ran no Python while it was looked at")

    def shares(counts: dict[str, int]) -> dict[str, float]:
        most = list(counts.items())[:NAMED_MAX]
        return {key: count / samples for key, count in most}

    return Profile(
        name=name,
        samples=samples,
        seconds=seconds,
        busy=min(1.0, samples / (RATE_HZ * seconds)),
        packages=shares(packages(stacks)),
        functions=shares(innermost(stacks)),
    )


async def _record(pids: dict[str, int], seconds: float) -> dict[str, str]:
    await asyncio.sleep(LEAD_SECONDS)
    texts = await asyncio.gather(*(record(pid, seconds) for pid in pids.values()))
    return dict(zip(pids, texts, strict=True))


async def record(pid: int, seconds: float, sampler: Path = PY_SPY) -> str:
    """The stacks of a process, counted; raises `Failure` where that is not allowed."""
    with tempfile.NamedTemporaryFile(prefix="souk-stacks-") as file:
        words = (
            *("record", "--pid", str(pid), "--duration", str(max(1, round(seconds)))),
            *("--rate", str(RATE_HZ), "--gil", "--nolineno"),
            *("--format", "raw", "--output", file.name),
        )
        try:
            process = await asyncio.create_subprocess_exec(
                str(sampler),
                *words,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
        except FileNotFoundError:
            raise Failure("py-spy is not installed: the extra `bench`") from None
        try:
            async with asyncio.timeout(seconds + EXTRA_SECONDS_MAX):
                said, _ = await process.communicate()
        except TimeoutError:
            raise Failure(f"py-spy did not end with process {pid} in time") from None
        finally:
            with contextlib.suppress(ProcessLookupError):  # it has ended by itself
                process.kill()
            await process.wait()
        if process.returncode:
            raise Failure(_why(pid, said.decode(errors="replace")))
        file.seek(0)
        return file.read().decode(errors="replace")


def _why(pid: int, said: str) -> str:
    """One line: the missing right by its name, or what py-spy said last."""
    if "ermission" in said:
        return (
            f"py-spy may not look into process {pid}: run as root, or with "
            "CAP_SYS_PTRACE, or set kernel.yama.ptrace_scope to 0"
        )
    last = (said.strip().splitlines() or ["nothing"])[-1]
    return f"py-spy could not look into process {pid}: {last}"
