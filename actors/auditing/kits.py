"""What each domain's kit must be like: slots owned, nothing overdue or unpublished."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from uuid import UUID

import msgspec

from actors.auditing.checks.processes import RUN_SECONDS_MAX, begun_at
from bus.kit.addressing import SLOTS
from bus.kit.books import Found, Kit, Written

OF_ALL = frozenset(
    {
        *("outbox-gapless", "entity-gapless", "entity-last-number"),
        *("no-person-in-outbox", "no-person-in-handled", "no-person-in-due"),
    }
)
"""Checks that each domain's kit makes."""


def wrong_with_kit(domain: str, written: Written, shards: int) -> list[Found]:
    """All that is wrong with a domain's kit at one moment."""
    kit, now = written.kit, written.now
    found = [*_slots(domain, kit, shards), *_running(domain, kit, now)]
    for name, kind, at in kit.overdue:
        found.append(("due-in-time", f"{domain} {name}", f"{kind} was due at {at}"))
    for event in kit.unpublished:
        words = f"{event.subject} is in the outbox, and was not published"
        found.append(("event-published-once", f"{domain} {event.id}", words))
    return found


def with_domain(domain: str, found: Iterable[Found]) -> list[Found]:
    """What a domain has found, with its name where every domain looks for that."""
    return [
        (check, f"{domain} {ids}" if check in OF_ALL else ids, words)
        for check, ids, words in found
    ]


def busy_orders(kit: Kit) -> set[str]:
    """The orders that unfinished processes are about."""
    found: set[str] = set()
    for _, resume in kit.running:
        body = msgspec.msgpack.decode(resume) if resume else {}
        if isinstance(body, dict) and "order_id" in body:
            found.add(str(body["order_id"]))
    return found


def _slots(domain: str, kit: Kit, shards: int) -> Iterator[Found]:
    """A pool may have grown since the auditor was told its size.

    A shard that it was not told of is one when it owns a fair part of the slots.
    """
    owners = dict(kit.slots)
    counts = Counter(owners.values())
    fair = max(SLOTS // max(len(counts), 1) // 2, 1)
    for slot in range(SLOTS):
        owner = owners.get(slot, -1)
        if not (0 <= owner < shards or (owner >= 0 and counts[owner] >= fair)):
            yield "slots-owned", f"{domain} slot {slot}", f"owned by {owner}"


def _running(domain: str, kit: Kit, now: datetime) -> Iterator[Found]:
    for command_id, _ in kit.running:
        begun = begun_at(UUID(str(command_id)))
        if begun and (now - begun).total_seconds() > RUN_SECONDS_MAX:
            ids = f"{domain} {command_id}"
            yield "process-finished", ids, f"runs since {begun}"
