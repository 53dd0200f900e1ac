"""A shard: the one owner of some slots of a domain, with one loop and one writer."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from actors.kit.batch import Batches
from actors.kit.clock import Clock
from actors.kit.counts import Counts
from actors.kit.domain import Domain, HandlerKind
from actors.kit.item import Item
from actors.kit.marks import Marks
from actors.kit.process import Processes, Run
from actors.kit.reception import Reception
from actors.kit.relay import Publish, Relay
from actors.kit.strays import Strays
from actors.kit.stream import Stream
from actors.kit.timers import Timers
from actors.kit.wire import Moved
from bus.kit.addressing import new_id
from bus.kit.context import CURRENT
from bus.kit.messages import Message
from bus.kit.refusals import Unavailable, Unknown
from bus.kit.tasks import end_tasks
from persistence.kit import fence, handled, outbox, partitions
from persistence.kit.database import CONNECTION_LOST, Database
from persistence.kit.due import Due
from persistence.kit.fence import Fenced, SlotsMoved
from persistence.kit.outbox import OutboxRow
from persistence.kit.transaction import Meta

BATCH_MAX = 256
GATHER_MIN = 4
GATHER_SECONDS_MAX = 0.05
CHECK_SECONDS = 1.0
PARTITION_SECONDS = 3600.0


class Shard:
    """One incarnation of a shard; `publish` hands outbox rows to the bridge.

    `leave` is called once when a newer one has taken over: the process must end.
    """

    def __init__(
        self,
        domain: Domain,
        shard: int,
        database: Database,
        *,
        publish: Publish,
        leave: Any,
        log: Any,
        clock: Clock | None = None,
    ) -> None:
        self.domain, self.shard = domain, shard
        self.database = database
        self.clock = clock or Clock()
        self.log, self._leave = log, leave
        self.counts = Counts(domain.name, shard)
        self.batches = Batches(
            domain,
            database,
            shard,
            counts=self.counts,
            log=log,
            now=self.clock.now,
            committed=self._committed,
            caught_up=lambda last_n: self.relay.learn(last_n),  # noqa: PLW0108 - later
        )
        self.marks = Marks(self.batches)
        self.processes, self.timers = Processes(self), Timers(self)
        self.reception = Reception(self)
        self._strays, self._stream = Strays(self), Stream(self)
        self.relay = Relay(
            database.read,
            publish,
            counts=self.counts,
            log=log,
            published=self.marks.published,
            stream_seen=self._stream.seen,
        )
        self.left = False
        self._owners: dict[int, int] = {}
        self._inbox: deque[Item] = deque()
        self._wake, self._looking = asyncio.Event(), asyncio.Lock()
        self.ready = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._tidy, self._enough = False, BATCH_MAX
        self._gathered: asyncio.Future[None] = _future()
        self.next_batch: asyncio.Future[None] = _future()

    # --- life ----------------------------------------------------------------

    async def start(self) -> None:
        """Take over: end the old sessions, raise the epochs, take up what was left."""
        self.domain.shard = self.shard
        self.domain.clock, self.domain.log = self.clock, self.log
        self.domain.read = self.reception.lend
        self.domain.send = self.send
        self.counts.watch(self)
        await self._connect()
        if self.left:
            return
        await self.domain.begin()
        for loop in (self._work, self._check, self.relay.run, self.timers.run):
            self._tasks.append(asyncio.create_task(self._forever(loop)))
        self.ready.set()

    async def _forever(self, loop: Callable[[], Awaitable[None]]) -> None:
        """Run a loop; a bug in it is logged and does not end it."""
        while True:
            try:
                await loop()
            except Exception as error:
                self.log.error("loop-failed", loop=loop.__name__, exc_info=error)
                await self.clock.sleep(CHECK_SECONDS)

    async def stop(self) -> None:
        """End everything; what is under way is taken up by the next incarnation."""
        self.left = True
        self.processes.stop()
        await end_tasks(self._tasks)
        self._refuse_inbox()
        await self.domain.stop()
        await self.database.close()

    async def _connect(self) -> None:
        while not self.left:
            try:
                writer = await self.database.writer()
                epochs = await fence.take_over(writer, self.shard, self.database.name)
                self._partitioned = -PARTITION_SECONDS  # looked after, once all is up
                if not await partitions.are_there(writer):
                    await partitions.ensure(writer)
                table = await fence.owners(writer)
                self._owners = {slot: shard for slot, (shard, _) in table.items()}
                await self._own(writer, epochs)
                self.marks.load(*await outbox.stream_seen(writer, self.shard))
                self.counts.takeovers.value += 1
                return
            except Fenced:
                await self._go()
            except CONNECTION_LOST as error:
                self.counts.database_lost.value += 1
                self.log.warning("database-lost", error=repr(error))
                await self.database.drop_writer()
                await self.clock.sleep(CHECK_SECONDS)

    async def _own(self, connection: Any, epochs: dict[int, int]) -> None:
        """Load what the owner of these slots must know: epochs, tails, processes."""
        tails = await outbox.tails(connection, sorted(epochs))
        unfinished = await handled.unfinished(connection, epochs)
        left = await self.timers.left(connection, epochs)
        self.batches.last_n.update({slot: last for slot, (last, _) in tails.items()})
        self.batches.entities.clear()
        self.relay.own(tails)
        self.batches.epochs.update(epochs)  # from here on they are asked for
        for row in unfinished:
            if row.resume_kind and row.command_id not in self.processes.running:
                self.processes.resume(row)
        self.timers.take(left)

    # --- asks ----------------------------------------------------------------

    async def receive(self, envelope: bytes) -> bytes:
        """Run an envelope; answered as soon as its steps have committed."""
        return await self.reception.receive(envelope)

    async def collect(self, lane: str) -> bytes:
        """The tickets of a lane that have finished; waits for one, but not for long."""
        return await self.reception.collect(lane)

    @property
    def waiting(self) -> int:
        """How many steps wait for their batch."""
        return len(self._inbox)

    async def health(self) -> dict[str, Any]:
        """How it is; `database` says whether that answers."""
        looking = asyncio.ensure_future(self.database.answers())
        await asyncio.wait({looking}, timeout=CHECK_SECONDS)
        database = looking.done() and looking.result()
        looking.cancel()  # not awaited: a frozen server does not answer that either
        ready = self.ready.is_set() and not self.left
        return {"ready": ready, "database": database, **self.counts.totals(self)}

    async def send(self, message: Message) -> Any:
        """Run a step of this domain from outside any process; raises its refusal.

        It goes back to the request of the running context, if there is one.
        """
        handler = self.domain.handlers[type(message)]
        meta = Meta.within(new_id(), CURRENT.get())
        return await self.submit(Item(handler, message, meta))

    async def submit(self, item: Item) -> Any:
        """Put a step of our own into the next batch and wait for its answer."""
        if self.left or item.slot not in self.batches.epochs:
            raise Unavailable("the slot belongs to another shard")
        self.put(item)
        answer = await item.future
        if isinstance(answer, Exception):
            raise answer
        return answer

    def take_due(self, due: Due) -> None:
        """Run a message whose time has come; its row goes with its effect."""
        due_id, message = due.id, due.message
        handler = self.domain.handlers[type(message)]
        meta = Meta.within(due_id, due.context)
        if handler.kind is HandlerKind.PROCESS:
            if due_id not in self.processes.running:
                run = Run(self, message, meta, due_id=due_id)
                self.processes.begin(handler, run)
            return
        item = Item(handler, message, meta, due_id=due_id, direct=True)
        item.future.add_done_callback(lambda _: self.timers.release(due_id))
        self.put(item)

    def put(self, item: Item) -> None:
        """Let a step wait for the next batch."""
        self._inbox.append(item)
        self._wake.set()
        if len(self._inbox) >= self._enough and not self._gathered.done():
            self._gathered.set_result(None)

    async def _work(self) -> None:
        """One batch after another; while one commits, the next gathers."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(0)  # what arrived with the waker goes along
            self._wake.clear()
            while self._inbox:
                count = min(len(self._inbox), BATCH_MAX)
                items = [self._inbox.popleft() for _ in range(count)]
                began_at = self.clock.monotonic()
                await self._run(items)
                self.next_batch.set_result(None)
                self.next_batch = _future()
                took = self.clock.monotonic() - began_at
                self.counts.batch(count, took)
                await self._gather(count, took)
            if self._tidy:
                self._tidy = False
                await self._write_marks()

    async def _gather(self, count: int, seconds: float) -> None:
        """Under load, rest until the next batch is as large, or as long as it took.

        A transaction costs the same for one message as for many. Resting leaves the
        machine to those whose messages will come.
        """
        if count < GATHER_MIN or len(self._inbox) >= count:
            await asyncio.sleep(0)
            return
        self._enough, self._gathered = count, _future()
        rest = min(seconds, GATHER_SECONDS_MAX)
        await asyncio.wait({self._gathered}, timeout=rest)

    async def _write_marks(self) -> None:
        """Write what no batch took along: watermarks, ends of processes, the stream.

        It is done here, between two batches: beside one, the two would wait for each
        other's slots until Postgres kills one of them.
        """
        try:
            await self.marks.write()
        except Fenced:
            await self._go()
        except SlotsMoved as moved:
            await self._disown(moved.slots)
        except CONNECTION_LOST as error:
            await self.database.drop_writer()
            self.log.warning("marks-wait", error=repr(error))

    async def _run(self, items: list[Item]) -> None:
        try:
            await self.batches.run(items)
        except Fenced:
            self._refuse(items)
            await self._go()
        except SlotsMoved as moved:
            await self._disown(moved.slots)
            for item in items:
                if item.future.done():
                    continue  # a half of the batch had committed
                if item.slot in self.batches.epochs:
                    self.put(item)
                else:
                    item.finish(Moved(self._owners.get(item.slot, self.shard)))
        except Exception:
            for item in items:  # else a process would wait for its step for ever
                item.finish(Unknown("its batch broke"))
            raise

    # --- ownership -----------------------------------------------------------

    def elsewhere(self, slot: int) -> Moved | None:
        """Who owns a slot that is not ours; ourselves while a move is under way."""
        if slot in self.batches.epochs:
            return None
        return Moved(self._owners.get(slot, self.shard))

    async def _check(self) -> None:
        """Look each second whether the slots are still ours."""
        while True:
            await self.clock.sleep(CHECK_SECONDS)
            try:
                await self.look()
                await self._strays.look()
                await self._make_partitions()
                self._tidy = True
                self._wake.set()
            except (*CONNECTION_LOST, ConnectionError) as error:
                self.log.warning("check-failed", error=repr(error))

    async def look(self) -> list[int]:
        """See which slots are ours now, without waiting for the next check."""
        async with self._looking:  # a slot that is taken twice would be counted anew
            async with self.database.read() as db:
                table = await fence.owners(db)
            await self._compare(table)
        return sorted(self.batches.epochs)

    async def _make_partitions(self) -> None:
        """Once an hour: the partitions of the coming days, and no old ones."""
        if self.clock.monotonic() - self._partitioned < PARTITION_SECONDS:
            return
        self._partitioned = self.clock.monotonic()
        async with self.database.read() as db:
            self.counts.overdue = await partitions.ensure(db.connection)

    async def _compare(self, table: dict[int, tuple[int, int]]) -> None:
        self._owners = {slot: shard for slot, (shard, _) in table.items()}
        mine = {
            slot: epoch for slot, (shard, epoch) in table.items() if shard == self.shard
        }
        known = self.batches.epochs
        if any(epoch != known[slot] for slot, epoch in mine.items() if slot in known):
            await self._go()
            return
        if gone := {slot: self._owners[slot] for slot in known if slot not in mine}:
            await self._disown(gone)
        if new := {slot: epoch for slot, epoch in mine.items() if slot not in known}:
            lost = await self._stream.lost(new)
            async with self.database.read() as db:
                await self._own(db, new)
            self._stream.tell_again(lost)

    async def _disown(self, moved: dict[int, int]) -> None:
        self._owners.update(moved)
        for slot in moved:
            self.batches.epochs.pop(slot, None)
            self.marks.disown(slot)
            self.relay.disown(slot)
        self.processes.disown(moved)
        self.batches.entities.clear()
        self.log.info("slots-moved", slots=sorted(moved))

    async def _go(self) -> None:
        """A newer incarnation is the owner: answer nothing more, and leave."""
        if self.left:
            return
        self.left = True
        self.counts.fenced.value += 1
        self.log.warning("superseded", shard=self.shard)
        self.processes.stop()
        self._refuse_inbox()
        await self._leave()

    def _refuse_inbox(self) -> None:
        self._refuse(self._inbox)
        self._inbox.clear()

    def _refuse(self, items: Any) -> None:
        for item in items:
            item.finish(Moved(self.shard))

    # --- events --------------------------------------------------------------

    def _committed(self, rows: list[OutboxRow], due_seconds: float | None) -> None:
        if rows:
            self.relay.offer(rows)
        if due_seconds is not None:
            self.timers.expect(due_seconds)


def _future() -> "asyncio.Future[None]":
    return asyncio.get_running_loop().create_future()
