"""How long a fault was felt: until the first good write that needs what it hit."""

from collections.abc import Iterator
from uuid import UUID

from actors import DOMAINS
from actors.auditing.books import Books
from actors.auditing.checks.processes import begun_at
from bus.kit.addressing import slot_of
from scripts.breaking.faults import Hit
from scripts.breaking.journal import Entry
from scripts.breaking.load import LOGIN, ORDERING

BY_LOGIN = frozenset({"users"})
BY_MAIL = frozenset({"notifications", "messaging", "bridge", "nats", "smtp"})
NOT_SEEN = frozenset({"files"})
"""Nobody writes here under the load, so nothing can be said of it."""


def recovery_seconds(hit: Hit, entries: list[Entry], books: Books) -> float | None:
    """From the fault's begin to the first good write that began after it.

    Of a shard only writes on keys that it owns count. None where there was none.
    """
    if hit.skipped:
        return None
    part, number = part_of(hit.fault.target)
    if part in NOT_SEEN:
        return None
    if part in BY_MAIL:
        ends = _mailed(hit.at, books)
    elif part in BY_LOGIN:
        ends = (e.ended_at for e in entries if e.kind == LOGIN and _good(e, hit))
    else:
        ends = (
            e.ended_at
            for e in entries
            if e.kind in ORDERING
            and e.status == 201
            and _good(e, hit)
            and _is_owned(e, part, number, books)
        )
    first = min(ends, default=None)
    return None if first is None else first - hit.at


def part_of(target: str) -> tuple[str, int | None]:
    """What a target is a part of, and which shard of it."""
    part, _, rest = target.partition("/")
    if part == "postgres" and rest:
        return rest, None
    return part, int(rest) if rest and part in DOMAINS else None


def _good(entry: Entry, hit: Hit) -> bool:
    return entry.good and entry.begun_at >= hit.at


def _mailed(at: float, books: Books) -> Iterator[float]:
    """When mails were sent of what happened after: their ids keep that time."""
    for row in books.messages:
        happened = begun_at(row.message_id)
        if row.status == "SENT" and happened and happened.timestamp() >= at:
            yield row.updated_at.timestamp()


def _is_owned(entry: Entry, part: str, number: int | None, books: Books) -> bool:
    """Whether the write was one on this shard's keys; of others nothing is asked."""
    if number is None or part not in ("orders", "payments", "inventory"):
        return True
    slot = slot_of(entry.of if part == "inventory" else UUID(entry.order_id))
    kit = books.kits.get(part)
    owners = {row.slot: row.shard for row in kit.slots} if kit else {}
    return owners.get(slot, number) == number
