"""`roll` and `resize`: pools and gateway renewed, grown and shrunk while they serve."""

import asyncio
import os
import time
from enum import StrEnum
from typing import Annotated

import asyncpg
import psutil
import typer

from actors import DOMAINS
from bus.kit.addressing import SLOTS
from bus.kit.refusals import Unavailable
from bus.kit.settings import PREFIX, Settings
from persistence.kit.migrations import migrate_all
from scripts.launcher.failures import Failure
from scripts.launcher.record import Run, alone
from scripts.replaying.commands import run_command
from scripts.replaying.shop import joined, running
from serve_app.kit.serving import environment

CONNECT_SECONDS_MAX = 10.0
CONNECTIONS_FREE_MIN = 20

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False
)


class Part(StrEnum):
    """What is renewed."""

    ALL, POOLS, GATEWAY = "all", "pools", "gateway"


Domain = Annotated[str, typer.Argument(help="Whose pool.")]
Count = Annotated[int, typer.Argument(min=1, max=SLOTS, help="How many shards.")]
Which = Annotated[Part, typer.Argument(help="Only the pools, or only the gateway.")]


@app.command()
def roll(part: Which = Part.ALL) -> None:
    """Migrate, then give every shard, bridge and replica a new process, one by one.

    They run the code that lies on the disk now, and no request fails: a standby answers
    for a shard until its new process is there, and what was unanswered is sent again; a
    replica goes when its successor is ready. Safe to repeat, also after it was killed:
    what was renewed is renewed again.
    """

    async def work() -> None:
        settings, run = _as_started()
        with alone(settings.data_dir, "roll"), joined(settings, run):
            await _migrate(settings)
            if part is not Part.GATEWAY:
                await _roll_pools(settings)
            if part is not Part.POOLS:
                await _roll_gateway(settings)

    run_command(work)


@app.command()
def resize(domain: Domain, count: Count) -> None:
    """Grow or shrink a domain's pool to COUNT shards; no request fails meanwhile.

    Slots move with all that is under way in them, the gateway's replicas learn the new
    count one after another, and shards without slots end. For the next start, set
    SOUK_<DOMAIN>_SHARDS to the same. Safe to repeat, also after it was killed.
    """

    async def work() -> None:
        if domain not in DOMAINS:
            raise Failure(f"no such domain: {domain} (there are {', '.join(DOMAINS)})")
        settings, run = _as_started()
        before = settings.shards(domain)
        counts = {**settings.shard_counts, domain: count}
        wanted = settings.changed(shard_counts=counts)
        with alone(settings.data_dir, "roll"), joined(wanted, run):
            await _must_have_connections(wanted, domain)
            _remember(wanted, run, domain, max(before, count))
            await _resize(wanted, domain, before, count)
            _remember(wanted, run, domain, count)
        print(f"{domain} has {count} shards; it had {before}")

    run_command(work)


async def _resize(settings: Settings, domain: str, before: int, count: int) -> None:
    from actors.kit import pool  # noqa: PLC0415 - it brings Ray

    await pool.resize(settings, domain, before, count)
    await _roll_gateway(settings)  # whose health looks at every shard
    try:
        await pool.end(domain, range(count, before))
    except Unavailable as error:
        raise Failure(f"{error}: repeat the command") from None


def _remember(settings: Settings, run: Run, domain: str, count: int) -> None:
    """What the other commands, and this one when it is repeated, must know."""
    run.shards = {**run.shards, domain: count}
    run.write(settings.data_dir)


async def _must_have_connections(settings: Settings, domain: str) -> None:
    connection = await asyncpg.connect(
        settings.database_url(domain), timeout=CONNECT_SECONDS_MAX
    )
    try:
        room = int(await connection.fetchval("SHOW max_connections"))
    finally:
        await connection.close()
    shards = sum(settings.shards(name) for name in DOMAINS) + settings.standbys
    needed = shards * settings.shard_connections_max + CONNECTIONS_FREE_MIN
    if needed > room:
        raise Failure(
            f"the server takes {room} connections, {needed} are needed: start the shop "
            f"with SOUK_{domain.upper()}_SHARDS"
        )


async def _migrate(settings: Settings) -> None:
    """First the databases: a migration only expands, so the old code serves on."""
    urls = {name: settings.database_url(name) for name in DOMAINS}
    began_at = time.monotonic()
    await migrate_all(urls, {name: settings.shards(name) for name in DOMAINS})
    print(f"{'migrations':20} {time.monotonic() - began_at:.1f} s", flush=True)


async def _roll_pools(settings: Settings) -> None:
    from actors.kit import pool  # noqa: PLC0415 - it brings Ray
    from actors.kit.renewing import renew  # noqa: PLC0415 - the same

    # Standbys are the first, so that there is one for every shard after them.
    names = pool.attend(settings)  # the release before may have had none
    names += [f"{name}/{n}" for name in DOMAINS for n in range(settings.shards(name))]
    names += [f"bridge/{n}" for n in range(settings.bridges)]
    for name in names:
        began_at = time.monotonic()
        away = await renew(name, standbys=settings.standbys > 0)
        said = "" if away is None else f", handed over in {away:.3f} s"
        print(f"{name:20} {time.monotonic() - began_at:.1f} s{said}", flush=True)


async def _roll_gateway(settings: Settings) -> None:
    from serve_app.kit.deploy import deploy  # noqa: PLC0415 - it brings Ray

    began_at = time.monotonic()
    await asyncio.to_thread(deploy, settings)
    count = settings.gateway_replicas
    print(f"{'gateway':20} {time.monotonic() - began_at:.1f} s for {count} replicas")


def _as_started() -> tuple[Settings, Run]:
    """The settings that the shop was started with, and over them those given now.

    Else a replica would be made anew with fewer settings than it had.
    """
    mine = Settings.load()
    run = Run.read(mine.data_dir)
    if run is None or not run.keeper.alive():
        raise Failure(f"the shop in {mine.data_dir} is not running")
    given = {
        name: value
        for name, value in psutil.Process(run.keeper.pid).environ().items()
        if name.startswith(PREFIX)
    }
    settings, run = running(Settings.load({**given, **os.environ}))
    whole = settings.changed(shard_counts={**settings.shard_counts, **run.shards})
    os.environ.update(environment(whole))  # Serve reads it when it is imported
    return whole, run
