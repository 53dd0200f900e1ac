"""Once: which commands of a batch have acted before, and the rows that remember."""

from datetime import date
from typing import Any
from uuid import UUID

from msgspec import Raw

from actors.kit.item import AlreadyAnswered, AlreadyBegun, Item
from actors.kit.wire import End, Outcome, pack, unpack
from bus.kit.messages import preserve, revive
from bus.kit.refusals import Refusal, conflict, invalid
from persistence.kit import due, handled
from persistence.kit.handled import Handled, State
from persistence.kit.transaction import Tx


async def answer_known(
    connection: Any, items: list[Item], tx: Tx
) -> list[tuple[Item, Item]]:
    """Answer what has acted before; returns the doubles within this batch."""
    firsts: dict[UUID, Item] = {}
    followers: list[tuple[Item, Item]] = []
    for item in items:
        item.answer, item.known = item.forced, False
        tx.metas[id(item.message)] = item.meta
        command_id = item.command_id
        if command_id is None:
            continue
        if item.process is None and command_id in firsts:
            followers.append((item, firsts[command_id]))
            item.answer, item.known = None, True
        else:
            firsts.setdefault(command_id, item)
    await _pass_over_what_is_not_due(connection, items)
    known = await handled.find(connection, list(firsts), tx.now)
    for command_id, row in known.items():
        _answer_as_before(firsts[command_id], row)
    return followers


async def _pass_over_what_is_not_due(connection: Any, items: list[Item]) -> None:
    """A due message acts while its row is there: the row goes with its effect.

    It is gone where a COMMIT without an answer has happened after all, and where the
    message was cancelled, or replaced, after it had been taken up.
    """
    direct = [item for item in items if item.direct and item.due_id]
    if not direct:
        return
    there = await due.waiting(connection, [i.due_id for i in direct if i.due_id])
    for item in direct:
        if item.due_id not in there:
            item.answer, item.known = None, True


def _answer_as_before(item: Item, row: Handled) -> None:
    body_hash = item.process.body_hash if item.process else item.body_hash
    item.known = item.process is None
    if row.body_hash and body_hash and row.body_hash != body_hash:
        item.answer = AlreadyAnswered(reused()) if item.process else reused()
    elif row.answer_kind is not None and row.answer is not None:
        before = _stored(item, row)
        if item.process is None:
            item.answer = before
        elif not item.process.resumed:
            item.answer = AlreadyAnswered(before)
    elif item.opens:  # asked again, its first step may refuse what it has done
        item.answer = AlreadyBegun(revive(row.resume_kind or "", row.resume or b"")[0])
    elif item.process is None:
        item.answer = conflict("request-in-progress")


def _stored(item: Item, row: Handled) -> Any:
    message = item.process.message if item.process else item.message
    outcome = Outcome(End(row.answer_kind or 0), Raw(row.answer or b"\xc0"))
    return unpack(type(message), outcome)


def reused() -> Refusal:
    """The refusal of a key that came with another body before."""
    return invalid("idempotency-key-reused", "This key came with another body before.")


def same_body(item: Item, first: Item) -> bool:
    """Whether two commands of one id say the same, as far as one can tell."""
    return (
        None in (item.body_hash, first.body_hash) or item.body_hash == first.body_hash
    )


def row_of(item: Item, today: date) -> Handled | None:
    """The handled row that this item's end leaves, if any."""
    run, answer = item.process, item.answer
    if item.known or item.looks:
        return None  # written over, the next one to ask would get another answer
    if isinstance(answer, Exception) and not isinstance(answer, Refusal):
        return None
    if run is None:
        if not item.remembered:
            return None
        return _settled(
            item.slot, item.meta.id, State.DONE, None, item.body_hash, answer
        )
    run.day = run.day or handled.day_of(run.id, today)
    if item.settles:
        state = State.ANSWERED if run.opened and not item.last else State.DONE
        return _settled(item.slot, run.id, state, run.day, run.body_hash, answer)
    if item.opens is None or isinstance(answer, Refusal):
        return None
    resume = item.opens[1]
    return Handled(
        command_id=run.id,
        slot=item.slot,
        state=State.RUNNING,
        day=run.day,
        body_hash=run.body_hash,
        resume_kind=resume.kind(),
        resume=preserve(resume, run.meta.context),
    )


def _settled(
    slot: int,
    command_id: UUID,
    state: State,
    day: date | None,
    body_hash: bytes | None,
    answer: Any,
) -> Handled:
    remembered = getattr(answer, "remembered", None)
    outcome = pack(remembered() if callable(remembered) else answer)
    return Handled(
        command_id=command_id,
        slot=slot,
        state=state,
        day=day,
        body_hash=body_hash,
        answer_kind=int(outcome.end),
        answer=bytes(outcome.body),
    )
