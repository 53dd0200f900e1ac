"""`audit`: wait for rest, compare everything, print each violation in one line."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import msgspec
import typer

from actors.auditing.books import Books, Violation, name_of
from actors.auditing.checks import CHECKS, audit
from bus.kit.settings import Settings, SettingsError
from scripts.auditing import loading, streaming
from scripts.auditing.place import Place, read_answered, running_place
from scripts.auditing.rest import Rest, told_so_far, wait_for_rest
from scripts.launcher.failures import Exit, Failure

SETTLE_SECONDS = 15.0
AGAIN_MAX = 5
VIOLATION = 1

Settle = Annotated[float, typer.Option(help="How long to wait for rest.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document.")]
Answered = Annotated[
    Path | None,
    typer.Option(help="Orders that were answered, lines of `<order id> [status]`."),
]
List = Annotated[bool, typer.Option("--list", help="Name the checks, run none.")]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What an audit came to."""

    violations: list[Violation]
    rest: Rest
    counts: dict[str, int]

    def words(self) -> str:
        """One line for people."""
        read = ", ".join(f"{count} {name}" for name, count in self.counts.items())
        found = len(self.violations)
        said = "no violation" if not found else f"{found} violations"
        return f"{said} by {len(CHECKS)} checks ({read}); {self.rest.words()}"


async def run_audit(
    place: Place,
    *,
    settle_seconds: float = SETTLE_SECONDS,
    answered: dict[UUID, str] | None = None,
    scope: dict[str, str] | None = None,
) -> Verdict:
    """Audit the shop at this place; the tool of bench, tests and command alike.

    `scope` as in `loading.load_books`.
    """
    verdict, _ = await audited(
        place, settle_seconds=settle_seconds, answered=answered, scope=scope
    )
    return verdict


async def audited(
    place: Place,
    *,
    settle_seconds: float,
    answered: dict[UUID, str] | None = None,
    scope: dict[str, str] | None = None,
) -> tuple[Verdict, Books]:
    """The same, with the books that were compared, for who looks at them further."""
    connection = await streaming.connect(place.nats_url)
    try:
        rest = await wait_for_rest(place.urls, connection, settle_seconds)
        books = await _load_quiet(place, connection, rest, answered or {}, scope)
    finally:
        await connection.close()
    verdict = Verdict(violations=audit(books), rest=rest, counts=_counts(books))
    return verdict, books


async def _load_quiet(
    place: Place,
    connection: Any,
    rest: Rest,
    answered: dict[UUID, str],
    scope: dict[str, str] | None,
) -> Books:
    """The books of a moment in which nothing was told, where there is one."""
    told = await told_so_far(place.urls)
    for _ in range(AGAIN_MAX):
        before = told
        async with loading.snapshots(place.urls) as connections:
            stream = await streaming.read_stream(connection)
            books = await loading.load_books(
                connections,
                stream=stream,
                shards={name: place.settings.shards(name) for name in place.urls},
                consumers=place.consumers,
                answered=answered,
                waiting=rest.waiting,
                scope=scope,
            )
        told = await told_so_far(place.urls)
        if told == before:
            break
    return books


def _counts(books: Books) -> dict[str, int]:
    return {
        "orders": len(books.orders),
        "charges": len(books.bank_charges),
        "movements": len(books.movements),
        "events": len(books.stream.events),
        "messages": len(books.messages),
    }


def command(
    settle_seconds: Settle = SETTLE_SECONDS,
    json: Json = False,
    answered: Answered = None,
    list_checks: List = False,
) -> None:
    """Compare all databases, the bank and the stream; 1 when anything disagrees."""
    if list_checks:
        for check in CHECKS:
            print(f"{name_of(check):26} {(check.__doc__ or '').splitlines()[0]}")
        return
    try:
        place = running_place(Settings.load())
        told = {UUID(key): status for key, status in read_answered(answered).items()}
        verdict = asyncio.run(
            run_audit(place, settle_seconds=settle_seconds, answered=told)
        )
    except SettingsError as error:
        raise typer.Exit(_say(str(error), Exit.BAD_SETTING)) from None
    except (Failure, loading.TooMany) as error:
        raise typer.Exit(_say(str(error), Exit.BAD_SETTING)) from None
    if json:
        print(msgspec.json.format(msgspec.json.encode(verdict)).decode())
    else:
        for found in verdict.violations:
            print(f"{found.check}: {found.ids}: {found.detail}")
        print(verdict.words())
    raise typer.Exit(VIOLATION if verdict.violations else 0)


def main() -> None:
    """Run the command."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(command)
    app()


def _say(line: str, code: int) -> int:
    print(f"error: {line}", file=sys.stderr)
    return code
