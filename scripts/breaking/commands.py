"""`chaos`: break a shop by a seed, print what was felt and what was broken."""

import asyncio
import os
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from bus.kit.settings import Settings, SettingsError
from scripts.breaking.plan import OWN_SHOP, ROUNDS_MAX, Kind
from scripts.breaking.running import Report, Round, Wish, run
from scripts.launcher.failures import Failure

SECONDS = 40.0
SECONDS_MAX = 600.0
RATE = 10.0
RATE_MAX = 1_000.0
SHARDS_MAX = 8
VIOLATION, UNABLE = 1, 2
WIDTH = 110  # of what is no terminal

Seed = Annotated[int, typer.Option(min=0, help="Decides which faults, when, to whom.")]
Seconds = Annotated[
    float, typer.Option(min=1, max=SECONDS_MAX, help="Length of a round's load.")
]
Rounds = Annotated[int, typer.Option(min=1, max=ROUNDS_MAX, help="How many rounds.")]
First = Annotated[
    int, typer.Option(min=0, help="Number of the first: to do one round again.")
]
Faults = Annotated[
    str, typer.Option(help=f"Kinds, by comma: {', '.join(Kind)}; all that can be done.")
]
Targets = Annotated[
    str, typer.Option(help="Only these, by comma: inventory/0,nats,postgres/orders.")
]
Rate = Annotated[
    float, typer.Option(min=0.1, max=RATE_MAX, help="People who arrive in a second.")
]
Shards = Annotated[
    int, typer.Option(min=1, max=SHARDS_MAX, help="Shards of each pool, with --start.")
]
Start = Annotated[
    bool, typer.Option("--start", help="Break a shop of its own, deleted afterwards.")
]
Json = Annotated[Path | None, typer.Option("--json", help="Write the report here.")]
Kept = Annotated[
    Path | None, typer.Option("--journal", help="Keep the journal here (appended to).")
]


def command(
    *,
    seed: Seed = 1,
    seconds: Seconds = SECONDS,
    rounds: Rounds = 1,
    first: First = 0,
    faults: Faults = "",
    targets: Targets = "",
    rate: Rate = RATE,
    shards: Shards = 1,
    start: Start = False,
    json: Json = None,
    journal: Kept = None,
) -> None:
    """Break a shop under load and check everything that it promises.

    Ends with 1 when a promise was broken, and says how to do that round again; with 2
    when the shop could not be broken so.
    """
    try:
        wish = Wish(
            seed=seed,
            seconds=seconds,
            kinds=kinds_of(faults, start=start),
            targets=tuple(word for word in targets.split(",") if word),
            rounds=rounds,
            first=first,
            rate=rate,
            shards=shards,
            start=start,
        )
        report = _run(wish, journal)
    except (Failure, SettingsError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(UNABLE) from None
    if json:
        _write(json, {**figures_of(report), "rounds": report.rounds})
    if figures := os.environ.get("SOUK_FIGURES"):
        _write(Path(figures), figures_of(report))
    show(report)
    raise typer.Exit(VIOLATION if report.violations else 0)


def kinds_of(text: str, *, start: bool) -> tuple[Kind, ...]:
    """The kinds of faults that were asked for; raises `Failure`.

    Where nobody says: all that can be done to this shop, but for filling its disk,
    which needs the right to mount a file system.
    """
    if not text:
        kinds = (kind for kind in Kind if kind is not Kind.DISK)
        return tuple(kind for kind in kinds if start or kind not in OWN_SHOP)
    words = [word.strip() for word in text.split(",")]
    if unknown := sorted(set(words) - set(Kind)):
        raise Failure(f"--faults: no such kind: {', '.join(unknown)}")
    return tuple(Kind(word) for word in dict.fromkeys(words))


def figures_of(report: Report) -> dict[str, object]:
    """The totals, and each fault's recoveries."""
    rounds = report.rounds
    return {
        "seed": report.seed,
        "violations": report.violations,
        "faults": sum(not felt.skipped for one in rounds for felt in one.faults),
        "requests": sum(sum(one.requests.values()) for one in rounds),
        "mails that came again": sum(one.copies for one in rounds[-1:]),
        "slowest rest in seconds": max(one.settled_seconds for one in rounds),
        "answers 500": sum(one.bugs for one in rounds),
        **{
            f"good write after s, {fault}": [round(each, 2) for each in seconds]
            for fault, seconds in report.fault_seconds.items()
        },
    }


def show(report: Report) -> None:
    """For people: each fault with what was felt of it, then what was broken."""
    width = None if sys.stdout.isatty() else WIDTH
    console = Console(highlight=False, width=width)
    for one in report.rounds:
        console.print(_table(report.seed, one))
        console.print(_words(one))
        for found in one.violations:
            line = f"{found.check}: {found.ids}: {found.detail}"
            console.print(line, markup=False, soft_wrap=True)
        if one.violations:
            console.print(f"seed {report.seed}; again: {one.replay}", soft_wrap=True)


def main() -> None:
    """Run the command."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(command)
    app()


def _run(wish: Wish, journal: Path | None) -> Report:
    with tempfile.TemporaryDirectory(prefix="souk-journal-") as folder:
        path = journal or Path(folder, "journal.jsonl")
        return asyncio.run(run(Settings.load(), wish, path))


def _write(path: Path, document: object) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(document)))


def _table(seed: int, one: Round) -> Table:
    table = Table(box=None, pad_edge=False, title=f"seed {seed}, round {one.number}")
    for heading in ("at s", "fault", "lasted s", "good write after s"):
        table.add_column(heading, justify="left" if heading == "fault" else "right")
    for felt in one.faults:
        seen = felt.recovered_seconds
        after = "not seen" if seen is None else f"{seen:.2f}"
        table.add_row(
            f"{felt.at_seconds:.1f}",
            felt.fault,
            f"{felt.lasted_seconds:.1f}",
            felt.skipped or after,
        )
    return table


def _words(one: Round) -> str:
    requests = ", ".join(f"{name} {count}" for name, count in one.requests.items())
    said = f"{len(one.violations)} promises broken" if one.violations else "all kept"
    return (
        f"{requests}; asked again {one.asked_again}, of these {one.bugs} after a 500; "
        f"left out {one.left_out}; "
        f"{one.mails} mails, {one.copies} of them again; at rest after "
        f"{one.settled_seconds:.1f} s; {said}"
    )
