"""The commands: `list` and `replay`."""

import asyncio
import sys
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bus.kit.settings import Settings, SettingsError
from scripts.launcher.failures import Exit, Failure
from scripts.replaying.letters import Letter, read_letters
from scripts.replaying.shop import bridge_of, call, running

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False
)

Domain = Annotated[str, typer.Argument(help="The domain that could not handle them.")]
Entity = Annotated[str | None, typer.Option(help="Only the events of this entity.")]


@app.command(name="list")
def show() -> None:
    """List the parked events, the oldest first."""
    letters: list[Letter] = run_command(_read)
    shown = Table(box=None, pad_edge=False)
    for heading in ("domain", "event", "entity", "sequence", "reason"):
        shown.add_column(heading, overflow="fold")
    for each in letters:
        shown.add_row(each.domain, each.type, each.entity, each.sequence, each.reason)
    Console(highlight=False).print(shown if letters else "no dead letters")


@app.command()
def replay(domain: Domain, entity: Entity = None) -> None:
    """Deliver a domain's parked events again, each entity's in order.

    An entity stops at its first event that fails again; the exit code is 1 when
    anything stays parked.
    """

    async def work() -> tuple[int, int]:
        settings, run = running(Settings.load())
        bridge = bridge_of(domain, settings.bridges)
        done = await call(settings, run, bridge, "replay_dead", domain, entity)
        left = [each for each in await read_letters(settings.nats_url) if _is(each)]
        return done, len(left)

    def _is(letter: Letter) -> bool:
        return letter.domain == domain and entity in (None, letter.entity)

    done, left = run_command(work)
    print(f"{done} handled, {left} still parked")
    raise typer.Exit(1 if left else 0)


async def _read() -> list[Letter]:
    settings, _ = running(Settings.load())
    return await read_letters(settings.nats_url)


def run_command(work: Any) -> Any:
    """The result, or one line about what stopped it."""
    try:
        return asyncio.run(work())
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(Exit.BAD_SETTING) from None
    except Failure as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(error.code) from None
    except (TimeoutError, OSError) as error:
        print(f"error: no answer: {error!r}", file=sys.stderr)
        raise typer.Exit(Exit.FAILED) from None
