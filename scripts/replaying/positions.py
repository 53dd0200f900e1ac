"""The commands `consumer` and `stream`: deliver again, and make the stream again."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any

import asyncpg
import typer
from nats.js.errors import NotFoundError

from actors import DOMAINS
from bus.kit import streams
from bus.kit.settings import Settings
from persistence.kit import outbox
from scripts.launcher.failures import Exit, Failure
from scripts.replaying.commands import run_command
from scripts.replaying.letters import NO_LOG
from scripts.replaying.shop import bridge_of, call, running

HANDLED_SECONDS_MAX = 600.0
POLL_SECONDS = 0.5
CONNECT_SECONDS_MAX = 10.0

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False
)

Domain = Annotated[str, typer.Argument(help="The domain that handles the events.")]
From = Annotated[
    int | None, typer.Option("--from", min=1, help="The stream's number to begin at.")
]
Since = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"],
        help="The time to begin at; UTC where it names no zone.",
    ),
]


@app.command()
def consumer(domain: Domain, start: From = None, since: Since = None) -> None:
    """Deliver a domain's events again from a position on, and wait until it is done.

    An effect that has happened does not happen again, and a projection takes only what
    is newer than what it has. The exit code is 1 when something is still under way.
    """

    async def work() -> tuple[int, int]:
        settings, run = running(Settings.load())
        if (start is None) == (since is None):
            raise Failure("name either --from or --since", Exit.BAD_SETTING)
        when = since if since is None or since.tzinfo else since.replace(tzinfo=UTC)
        bridge = bridge_of(domain, settings.bridges)
        count = await call(settings, run, bridge, "replay", domain, start, when)
        if count is None:
            raise Failure(f"{domain} handles no events")
        return count, await _until_none(lambda: owed(settings.nats_url, domain))

    count, left = run_command(work)
    print(f"{count} events delivered again, {left} still under way")
    raise typer.Exit(1 if left else 0)


@app.command()
def stream() -> None:
    """Delete the stream of events and make it again from the outboxes.

    Every domain's events of the last days come again, each entity's in order; nothing
    acts twice. Consumers that are not the shop's own must be made again. The exit code
    is 1 when events are still missing.
    """

    async def work() -> tuple[int, int]:
        settings, _ = running(Settings.load())
        kept = await _kept(settings)
        await streams.forget(settings.nats_url, streams.EVENTS, log=NO_LOG)
        left = await _until_none(lambda: _missing(settings.nats_url, kept))
        return kept, left

    kept, left = run_command(work)
    print(f"{kept - left} events are in the stream again, {left} still missing")
    raise typer.Exit(1 if left else 0)


async def owed(url: str, domain: str) -> int:
    """How many events a domain's consumer has not handled yet."""

    async def look(js: Any) -> int:
        info = await js.consumer_info(streams.EVENTS, domain)
        return int(info.num_pending + info.num_ack_pending)

    return await _asked(url, look)


async def _missing(url: str, wanted: int) -> int:
    async def look(js: Any) -> int:
        try:
            info = await js.stream_info(streams.EVENTS)
        except NotFoundError:
            return wanted  # nobody has made it yet
        return max(0, wanted - int(info.state.messages))

    return await _asked(url, look)


async def _asked(url: str, look: Callable[[Any], Awaitable[int]]) -> int:
    async with asyncio.timeout(CONNECT_SECONDS_MAX):
        connection = await streams.connect(url, "replay", NO_LOG)
        try:
            return await look(connection.jetstream())
        finally:
            await connection.close()


async def _until_none(look: Callable[[], Awaitable[int]]) -> int:
    """What is left when nothing is, or when the time is over."""
    loop = asyncio.get_running_loop()
    end = loop.time() + HANDLED_SECONDS_MAX
    while True:
        left = await look()
        if not left or loop.time() > end:
            return left
        await asyncio.sleep(POLL_SECONDS)


async def _kept(settings: Settings) -> int:
    """How many events the outboxes of all domains keep."""
    total = 0
    for domain in DOMAINS:
        connection = await asyncpg.connect(
            settings.database_url(domain), timeout=CONNECT_SECONDS_MAX
        )
        try:
            total += await outbox.kept(connection)
        finally:
            await connection.close()
    return total
