"""Events: numbered without a gap, in the stream once and in order, and handled."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

from actors.auditing.books import Books, Finding
from actors.auditing.rows import many

PUBLISH_SECONDS_MAX = 5.0
DONE = 2


def outbox_gapless(books: Books) -> Iterator[Finding]:
    """Each slot's events are numbered one by one."""
    for domain, kit in books.kits.items():
        for slot, told in many(kit.told, lambda one: one.row.slot).items():
            for before, after in pairwise(told):
                if after.row.n != before.row.n + 1:
                    ids = f"{domain} slot {slot}"
                    yield ids, f"after event {before.row.n} comes {after.row.n}"


def entity_gapless(books: Books) -> Iterator[Finding]:
    """Each entity's events are numbered 1, 2, 3 … as far back as they are kept."""
    for domain, kit in books.kits.items():
        whole = kit.whole_slots()
        for entity, told in many(kit.told, lambda one: one.document.subject).items():
            numbers = [one.number for one in told]
            first = 1 if told[0].row.slot in whole else numbers[0]
            if numbers != list(range(first, first + len(numbers))):
                yield f"{domain} {entity}", f"its events are numbered {numbers[:20]}"


def entity_last_number(books: Books) -> Iterator[Finding]:
    """The next event of an entity gets the number after its last one."""
    for domain, kit in books.kits.items():
        last: dict[str, int] = {}
        for told in kit.told:
            entity = told.document.subject
            last[entity] = max(told.number, last.get(entity, 0))
        counted = {row.subject: row.sequence for row in kit.sequences}
        known = counted.keys() | last.keys() if kit.is_whole() else last.keys()
        for entity in sorted(known):
            if counted.get(entity, 0) != last.get(entity, 0):
                detail = f"counted {counted.get(entity, 0)}, told {last.get(entity, 0)}"
                yield f"{domain} {entity}", detail


def event_published_once(books: Books) -> Iterator[Finding]:
    """Every told event is in the stream once, a moment after it was told."""
    counts = Counter(event.id for event in books.stream.events)
    settled = books.now - timedelta(seconds=PUBLISH_SECONDS_MAX)
    for domain, kit in books.kits.items():
        published = {slot.slot: slot.published for slot in kit.slots}
        for told in kit.told:
            count = counts[str(told.row.id)]
            marked = told.row.n <= published.get(told.row.slot, 0)
            late = marked or told.document.time < settled
            if count > 1 or (count == 0 and late):
                ids = f"{domain} {told.row.id}"
                yield ids, f"{told.kind} is in the stream {count} times"


def event_known(books: Books) -> Iterator[Finding]:
    """Every event in the stream is one that was told, word for word."""
    told = {str(one.row.id): one.row for kit in books.kits.values() for one in kit.told}
    whole = {domain for domain, kit in books.kits.items() if kit.is_whole()}
    for event in books.stream.events:
        row = told.get(event.id)
        if row is None:
            if event.entity[0] in whole:
                yield event.id, f"{event.subject} was never told"
        elif row.payload != event.payload or row.subject != event.subject:
            yield event.id, f"{event.subject} says something else than was told"


def event_order(books: Books) -> Iterator[Finding]:
    """In the stream the events of an entity come in their order, without a gap."""
    at: dict[tuple[str, str], int] = {}
    for event in books.stream.events:
        number = int(event.document.sequence)
        before = at.get(event.entity)
        if before is None:
            before = 0 if books.stream.first_place == 1 else number - 1
        if number > before + 1:
            yield " ".join(event.entity), f"event {number} follows event {before}"
        at[event.entity] = max(number, before)


def event_handled(books: Books) -> Iterator[Finding]:
    """Every event was handled by each domain that consumes its kind."""
    for domain, kinds in books.consumers.items():
        kit = books.kits.get(domain)
        if kit is None:
            continue
        done = {row.command_id for row in kit.handled if row.state == DONE}
        for source in sorted({kind.split(".")[0] for kind in kinds}):
            for told in books.told(source):
                if told.kind in kinds and told.row.id not in done:
                    ids = f"{domain} {told.row.id}"
                    yield ids, f"{told.kind} of {told.document.subject} is not handled"
