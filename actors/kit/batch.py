"""A batch: many steps in one fenced transaction, answered after its commit."""

import asyncio
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import asyncpg

from actors.kit.counts import Counts
from actors.kit.item import UNANSWERED, AlreadyAnswered, Item, rounds
from actors.kit.once import answer_known, reused, row_of, same_body
from bus.kit import traces
from bus.kit.refusals import Failed, Refusal, Unavailable, Unknown
from persistence.kit import audit, claims, fence, handled, outbox
from persistence.kit.claims import Claim
from persistence.kit.database import CONNECTION_LOST, Database
from persistence.kit.entities import Entities
from persistence.kit.outbox import OutboxRow
from persistence.kit.transaction import Tx

RECONNECT_SECONDS = 0.2
CONNECTION_TRIES_MAX = 3
ANSWER_SECONDS_MAX = 1.0
TRANSIENT = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)


class RefusedAfterWriting(Exception):
    """A handler refused when it had already written: its message must run alone."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


class ConnectionBroken(Exception):
    """The server is there, and each time this transaction loses its connection."""


class Batches:
    """Runs batches, one after another, for one incarnation of a shard.

    `epochs` are the slots that it owns. After a commit `entities` takes over what was
    kept, and `committed` is told the outbox rows and in how many seconds the first
    message of this batch is due. `caught_up` is told the last number of slots whose
    COMMIT got no answer and may have happened.
    """

    def __init__(
        self,
        domain: Any,
        database: Database,
        shard: int,
        *,
        counts: Counts,
        log: Any,
        now: Callable[[], float],
        committed: Callable[[list[OutboxRow], float | None], None],
        caught_up: Callable[[dict[int, int]], None],
    ) -> None:
        self.epochs: dict[int, int] = {}
        self.last_n: dict[int, int] = {}
        self.marks: dict[int, int] = {}
        self.finished: set[UUID] = set()
        self.entities = Entities()
        self._finishing: set[UUID] = set()
        self._marking: dict[int, int] = {}
        self._unsure: set[int] = set()
        self._domain = domain
        self._database = database
        self._shard = shard
        self._counts = counts
        self._log = log
        self._now = now
        self._committed = committed
        self._caught_up = caught_up

    async def run(self, items: list[Item]) -> None:
        """Run the items; each gets its answer. Raises Fenced or SlotsMoved."""
        live = [item for item in items if self._in_time(item)]
        if live:
            await self._run_or_halve(live)

    async def tidy(self, stream: tuple[str, int] | None) -> None:
        """Write, in a transaction of its own, what an idle shard has learned.

        `stream` is the stream of events as it was last seen. Raises like `run`.
        """
        marks, finished = dict(self.marks), set(self.finished)
        owned = {slot: n for slot, n in marks.items() if slot in self.epochs}
        slots = set(owned) or set(self.epochs)
        if not slots:
            return  # all have moved away, and with them what there was to write
        if owned or finished:
            connection = await self._database.writer()
            async with connection.transaction():
                await fence.check(
                    connection, self._shard, self.epochs, slots, lock=True
                )
                if owned:
                    await outbox.mark_published(connection, owned)
                if finished:
                    await handled.finish(connection, list(finished))
                if stream:
                    await outbox.see_stream(connection, self._shard, *stream)
        self.finished -= finished
        self.marks = {s: n for s, n in self.marks.items() if marks.get(s) != n}

    def _in_time(self, item: Item) -> bool:
        """A message whose deadline has passed before its batch begins is not run."""
        if item.deadline is None or item.deadline > self._now():
            return True
        item.finish(Unavailable("its deadline passed before it began"))
        return False

    async def _run_or_halve(self, items: list[Item]) -> None:
        """Run again in halves what fails, until the culprit stands alone."""
        try:
            await self._run_connected(items)
        except (fence.Fenced, fence.SlotsMoved):
            raise
        except TRANSIENT:
            await self._run_again(items)
        except RefusedAfterWriting as late:
            if len(items) == 1:
                items[0].forced = late.refusal
                await self._run_connected(items)
            else:
                await self._halve(items)
        except ConnectionBroken as broken:
            if len(items) > 1:
                await self._halve(items)
                return
            # Not Failed: one of its COMMITs may have happened, and had no answer.
            self._log.error("connection-broken", message_type=items[0].message.kind())
            items[0].finish(Unknown(str(broken)))
        except Exception as error:  # noqa: BLE001 - a bug, given to it alone
            if len(items) > 1:
                await self._halve(items)
                return
            self._fail(items[0], error)

    def _fail(self, item: Item, error: Exception) -> None:
        kind = item.message.kind()
        self._counts.failed(kind)
        self._log.error(
            "handler-failed",
            message_type=kind,
            command_id=str(item.meta.id),
            request_id=item.meta.request_id,
            traceparent=item.meta.traceparent,
            exc_info=error,
        )
        item.finish(Failed(kind))

    async def _run_again(self, items: list[Item]) -> None:
        """What the server gave up for another's sake goes once more, then in halves."""
        try:
            await self._run_connected(items)
        except TRANSIENT as error:
            if len(items) > 1:
                await self._halve(items)
            else:
                self._log.error("transaction-given-up", error=repr(error))
                items[0].finish(Unavailable("the database gave up this transaction"))

    async def _halve(self, items: list[Item]) -> None:
        self._counts.halvings.value += 1
        middle = len(items) // 2
        await self._run_or_halve(items[:middle])
        await self._run_or_halve(items[middle:])

    async def _run_connected(self, items: list[Item]) -> None:
        """Run the items; where the connection fails, look up what acted, and go on.

        A COMMIT without an answer may have happened: the next try finds the handled
        rows. What is past its deadline by then is answered Unknown.
        """
        losses = tries = 0
        while items:
            try:
                spans = (item.span for item in items)
                with traces.joint("transaction", spans, souk_batch_size=len(items)):
                    await self._transaction(items)
                return
            except CONNECTION_LOST as error:
                self._unsure |= {item.slot for item in items}
                self._counts.database_lost.value += 1
                await self._database.drop_writer()
                losses += 1
                # While the server is away no try counts: that breaks nothing.
                tries += await self._server_answers()
                if tries > CONNECTION_TRIES_MAX:
                    raise ConnectionBroken("it broke each connection") from error
                self._log.warning("database-lost", error=repr(error))
                await asyncio.sleep(RECONNECT_SECONDS * min(losses, 10))
            items = [item for item in items if not self._given_up(item)]

    async def _server_answers(self) -> bool:
        """Whether the server is there; one that is frozen is not."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                return await self._database.answers()
        except TimeoutError:
            return False

    def _given_up(self, item: Item) -> bool:
        if item.deadline is None or item.deadline > self._now():
            return False
        item.finish(Unknown("the database did not answer in time"))
        return True

    async def _transaction(self, items: list[Item]) -> None:
        connection = await self._database.writer()
        began_at = time.perf_counter()
        touched: set[tuple[str, Any]] = set()
        transaction = connection.transaction()
        await transaction.start()
        try:
            slots = frozenset(item.slot for item in items)
            now = await fence.check(
                connection, self._shard, self.epochs, slots, lock=True
            )
            if self._unsure:
                await self._catch_up(connection)
            tx = Tx(connection, now=now, slots=slots, recall=self.entities.recall)
            touched = tx.touched
            followers = await answer_known(connection, items, tx)
            await self._run_rounds(connection, tx, items)
            for item, first in followers:
                item.answer = first.answer if same_body(item, first) else reused()
            rows = await self._flush(connection, tx, items)
            await transaction.commit()
        except BaseException:
            self.entities.forget(touched)
            if not connection.is_closed() and connection.is_in_transaction():
                await self._roll_back(transaction)
            raise
        self._counts.transaction_seconds.observe(time.perf_counter() - began_at)
        self._after_commit(tx, items, rows)

    async def _catch_up(self, connection: Any) -> None:
        """Number events from where a COMMIT without an answer may have left them."""
        slots, self._unsure = self._unsure & set(self.epochs), set()
        tails = await outbox.tails(connection, sorted(slots))
        last_n = {slot: last for slot, (last, _) in tails.items()}
        self.last_n.update(last_n)
        self._caught_up(last_n)

    async def _roll_back(self, transaction: Any) -> None:
        try:
            await transaction.rollback()
        except CONNECTION_LOST:
            await self._database.drop_writer()

    async def _run_rounds(self, connection: Any, tx: Tx, items: list[Item]) -> None:
        fresh = [item for item in items if item.answer is UNANSWERED]
        taken = await self._claim(connection, tx, fresh)
        for batch_round in rounds(fresh):
            await self._run_round(tx, batch_round)
        refused = _claims_of(fresh, tx, refused=True)
        if dropped := refused & taken - _claims_of(fresh, tx, refused=False):
            await claims.release(connection, dropped)

    async def _claim(self, connection: Any, tx: Tx, items: list[Item]) -> set[Claim]:
        """Take all claims of the batch, sorted, before its first round."""
        for item in items:
            if item.handler and item.handler.claims:
                tx.claims_wanted[id(item.message)] = item.handler.claims(item.message)
        wanted = [claim for some in tx.claims_wanted.values() for claim in some]
        if not wanted:
            return set()
        taken = await claims.take(connection, wanted)
        tx.claims_held = await claims.owners(connection, wanted)
        return taken

    async def _run_round(self, tx: Tx, items: list[Item]) -> None:
        handler = items[0].handler
        assert handler is not None  # noqa: S101 - rounds are cut of handled items
        method = getattr(self._domain, handler.method_name)
        if handler.many:
            messages = [item.message for item in items]
            tx.speak_for(messages)
            answers = await method(tx, messages)
            if len(answers) != len(messages):
                raise ValueError(f"{handler.method_name} answered not every message")
            for item, answer in zip(items, answers, strict=True):
                item.answer = answer
            return
        for item in items:
            before = tx.writes
            tx.speak_for([item.message])
            try:
                item.answer = await method(tx, item.message)
            except Refusal as refusal:
                if tx.writes != before:
                    raise RefusedAfterWriting(refusal) from None
                item.answer = refusal

    async def _flush(
        self, connection: Any, tx: Tx, items: list[Item]
    ) -> list[OutboxRow]:
        rows: list[OutboxRow] = []
        self._finishing, self._marking = set(), {}
        if tx.told:
            rows = await outbox.write(connection, tx.told, self.last_n, tx.now)
        if tx.audited:
            await audit.write(connection, tx.audited)
        today = tx.now.date()
        if to_write := [row for item in items if (row := row_of(item, today))]:
            await handled.write(connection, to_write, tx.now)
        if self.finished:
            self._finishing = set(self.finished)
            await handled.finish(connection, list(self._finishing))
        due_ids = {
            item.due_id
            for item in items
            if item.due_id
            and (item.process is not None or item.direct)
            and not isinstance(item.answer, AlreadyAnswered)
        }
        await tx.flush_dues(due_ids)
        held = {item.slot for item in items}
        marks = {slot: n for slot, n in self.marks.items() if slot in held}
        if marks:
            self._marking = marks
            await outbox.mark_published(connection, marks)
        return rows

    def _after_commit(self, tx: Tx, items: list[Item], rows: list[OutboxRow]) -> None:
        self.entities.commit(tx.kept)
        for row in rows:
            self.last_n[row.slot] = row.n
        self.finished -= self._finishing
        self.marks = {
            slot: n for slot, n in self.marks.items() if self._marking.get(slot) != n
        }
        self._finishing, self._marking = set(), {}
        for item in items:
            _advance_process(item)
            if isinstance(item.answer, Refusal):
                self._counts.refused(item.answer.code)
            item.finish(item.answer)
        ripe = min((row.at for row in tx.dues.values() if row), default=None)
        seconds = None if ripe is None else (ripe - tx.now).total_seconds()
        if rows or seconds is not None:
            self._committed(rows, seconds)


def _claims_of(items: list[Item], tx: Tx, *, refused: bool) -> set[Claim]:
    """What the refused messages claimed, or all the others."""
    return {
        claim
        for item in items
        if isinstance(item.answer, Refusal) is refused
        for claim in tx.claims_wanted.get(id(item.message), ())
    }


def _advance_process(item: Item) -> None:
    """Let the process know what of it the commit has made true."""
    refused = isinstance(item.answer, Exception)
    if item.opens and not refused:
        item.opens[0].opened = item.opens[1]
    if item.settles and (not refused or isinstance(item.answer, Refusal)):
        item.settles.settle_with(item.answer)
