"""Processes, timers and slots: nothing hangs, nothing is orphaned."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

from actors.auditing.books import Books, Finding
from bus.kit.addressing import SLOTS

RUN_SECONDS_MAX = 30.0
OVERDUE_SECONDS_MAX = 30.0
DONE = 2


def process_finished(books: Books) -> Iterator[Finding]:
    """No process has work left for longer than it may take.

    An id that says no time counts as old when it ran already as the audit began.
    """
    old = books.now - timedelta(seconds=RUN_SECONDS_MAX)
    for domain, kit in books.kits.items():
        for row in kit.handled:
            if row.state >= DONE:
                continue
            begun = begun_at(row.command_id)
            is_old = row.command_id in books.waiting if begun is None else begun < old
            if is_old:
                state = "answered" if row.state else "running"
                yield f"{domain} {row.command_id}", f"still {state}"


def due_in_time(books: Books) -> Iterator[Finding]:
    """Nothing that is due is left lying."""
    old = books.now - timedelta(seconds=OVERDUE_SECONDS_MAX)
    for domain, kit in books.kits.items():
        for row in kit.due:
            if row.at < old:
                seconds = (books.now - row.at).total_seconds()
                yield f"{domain} {row.name}", f"{row.kind} overdue by {seconds:.0f} s"


def no_dead_letters(books: Books) -> Iterator[Finding]:
    """No event was parked."""
    yield from books.stream.dead


def slots_owned(books: Books) -> Iterator[Finding]:
    """Every slot belongs to a shard that there is, and each shard has some."""
    for domain, kit in books.kits.items():
        shards = books.shards.get(domain, 1)
        owners = {row.slot: row.shard for row in kit.slots}
        for slot in range(SLOTS):
            if not 0 <= owners.get(slot, -1) < shards:
                yield f"{domain} slot {slot}", f"owned by {owners.get(slot)}"
        for shard in sorted(set(range(shards)) - set(owners.values())):
            yield f"{domain}/{shard}", "owns no slot"


def begun_at(command_id: UUID) -> datetime | None:
    """When an id was made, as a UUIDv7 says."""
    if command_id.version != 7:
        return None
    return datetime.fromtimestamp((command_id.int >> 80) / 1000, UTC)
