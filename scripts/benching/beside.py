"""The bench's other commands: `aims`, `limits` and `profile`."""

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated

import typer

from bus.kit.settings import Settings, SettingsError
from scripts.benching.figures import (
    collect,
    read_figures,
    read_reports,
    write_figures,
)
from scripts.benching.keeping import Judged, write_kept, write_whole
from scripts.benching.limits import measure_limits
from scripts.benching.own_shop import own_shop
from scripts.benching.performance import page
from scripts.benching.profiling import FOLDER as FLAMES
from scripts.benching.profiling import draw_all, profile
from scripts.benching.stated import stated_keys
from scripts.launcher.environment import ROOT
from scripts.launcher.failures import Failure

REPORTS = (ROOT / ".souk-bench", ROOT / ".souk-test")
PAGE = ROOT / "docs" / "performance.md"
FIGURES = FLAMES / "figures.json"
SECONDS_MAX = 120.0
CLIENTS_MAX = 1_024
VIOLATION, UNABLE = 1, 2

Folders = Annotated[
    list[Path] | None,
    typer.Argument(help="Where reports are: .souk-bench and .souk-test.", exists=True),
]
Check = Annotated[
    bool, typer.Option("--check", help="Write nothing; end with 1 if it would.")
]
Seconds = Annotated[float, typer.Option(min=1, max=SECONDS_MAX, help="Of each look.")]
Clients = Annotated[int, typer.Option(min=1, max=CLIENTS_MAX, help="Of the load.")]
Scene = Annotated[str, typer.Option(help="The load: orders, checkout, cart, replay.")]
Json = Annotated[Path | None, typer.Option("--json", help="Write the figures here.")]
Start = Annotated[bool, typer.Option("--start", help="Start a shop of its own.")]
Into = Annotated[Path, typer.Option(help="The folder of the drawings.")]
PROFILED = ("orders", "checkout", "cart", "replay")


def aims(folders: Folders = None, *, check: Check = False) -> None:
    """Write docs/performance.md from the newest report of each scene."""
    found = folders or [folder for folder in REPORTS if folder.is_dir()]

    def write() -> list[str]:
        keys = stated_keys()
        figures = collect(read_figures(FIGURES), read_reports(found), keys)
        before = PAGE.read_text(encoding="utf-8")
        text = page(before, figures, keys)
        missing = [key for key in keys if key not in figures.aims]
        for key, kept in sorted(figures.aims.items()):
            print(f"{key}: {kept.aim.words()}")
        for key in missing:
            print(f"{key}: not measured")
        if check:
            return [] if text == before else [f"{PAGE.name} is stale"]
        write_figures(FIGURES, figures)
        write_whole(PAGE, text.encode())
        return []

    _end(write)


def limits(*, seconds: Seconds = 3.0, json: Json = None, start: Start = False) -> None:
    """Say what this machine can do at most: disk, memory, Postgres, NATS, loopback."""

    def measure() -> list[str]:
        with _shop(start=start) as settings:
            found = asyncio.run(measure_limits(settings, seconds))
        for one in found.limits:
            print(f"{one.what}: {one.figure:.4g} {one.unit} ({one.how})")
        return _kept(json, found)

    _end(measure)


def flames(
    *,
    scene: Scene = "orders",
    clients: Clients = 64,
    seconds: Seconds = 30.0,
    into: Into = FLAMES,
    json: Json = None,
    start: Start = False,
) -> None:
    """Draw flame graphs of gateway, orders and inventory under load (py-spy)."""

    def measure() -> list[str]:
        if scene not in PROFILED:
            raise Failure(f"--scene takes one of: {', '.join(PROFILED)}")
        with _shop(start=start) as settings:
            looking = profile(settings, scene=scene, clients=clients, seconds=seconds)
            found, texts = asyncio.run(looking)
        draw_all(found, texts, into)
        for one in found.profiles:
            most = ", ".join(f"{k} {share:.0%}" for k, share in one.packages.items())
            print(f"{one.name}: Python in {one.busy:.0%} of all moments: {most}")
        print(f"drawn into {into}")
        return _kept(json, found)

    _end(measure)


BESIDE: dict[str, Callable[..., None]] = {
    "aims": aims,
    "limits": limits,
    "profile": flames,
}
"""By the word that calls it."""


def _shop(*, start: bool) -> AbstractContextManager[Settings]:
    return own_shop() if start else nullcontext(Settings.load())


def _kept(json: Path | None, found: Judged) -> list[str]:
    """Write it where that is wished; why it does not count."""
    told = os.environ.get("SOUK_FIGURES")
    if path := json or (Path(told) if told else None):
        write_kept(path, found)
    return found.faults()


def _end(act: Callable[[], list[str]]) -> None:
    try:
        faults = act()
    except (Failure, SettingsError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(UNABLE) from None
    for fault in faults:
        print(fault)
    raise typer.Exit(VIOLATION if faults else 0)
