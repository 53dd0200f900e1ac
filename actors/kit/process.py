"""Processes: work of several steps that holds neither transaction nor mailbox."""

import asyncio
from datetime import date
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from actors.kit.domain import Handler, HandlerKind
from actors.kit.item import AlreadyAnswered, AlreadyBegun, Item
from actors.kit.wire import Moved
from bus.kit import traces
from bus.kit.addressing import new_id
from bus.kit.context import CURRENT
from bus.kit.messages import Command, Event, Message, revive
from bus.kit.refusals import Failed, Refusal, Unavailable, Unknown
from persistence.kit.handled import Handled
from persistence.kit.transaction import Meta

if TYPE_CHECKING:
    from actors.kit.shard import Shard

Reply = TypeVar("Reply")

BACKOFF_SECONDS = 0.2
BACKOFF_SECONDS_MAX = 10.0
BUG_TRIES_MAX = 8
GIVEN_UP_MAX = 10_000


class Run:
    """One process under way; what its function is given.

    Between two of its steps other messages of its key run, so each of its steps is
    compare-and-set or insert-once, and the function may be run again from its top.
    """

    def __init__(
        self,
        shard: "Shard",
        message: Message,
        meta: Meta,
        *,
        body_hash: bytes | None = None,
        due_id: UUID | None = None,
        keyed: bool = False,
    ) -> None:
        self.id = meta.id
        self.meta = meta
        self.message = message
        self.body_hash = body_hash
        self.due_id = due_id
        self.keyed = keyed
        self.day: date | None = None
        self.opened: Message | None = None
        self.resumed = False
        self.settled = False
        self.answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._shard = shard

    async def step(
        self, message: Command[Reply], opens: Message | None = None
    ) -> Reply:
        """Send a message to a step of the own domain; it joins the next batch.

        With `opens` the same transaction writes that this process has begun, and the
        message (ids only) that takes it up again after a crash.
        """
        item = self._item(message)
        if opens is not None and self.opened is None:
            item.opens = (self, opens)
        return await self._await(item)  # type: ignore[no-any-return]

    async def settle(self, message: Command[Reply], *, last: bool = False) -> Reply:
        """A step whose reply, or refusal, becomes this process's remembered answer.

        The caller gets it at once. `last` says that no work is left after it. Once the
        process has answered, the first answer stays, and this is a step like any other.
        """
        if self.settled:
            return await self.step(message)
        item = self._item(message)
        item.settles, item.last = self, last
        try:
            return await self._await(item)  # type: ignore[no-any-return]
        except AlreadyAnswered as before:
            if self.opened is None:
                raise
            # What has begun here was answered here: by a COMMIT that got no answer.
            self.settle_with(before.answer)
            if isinstance(before.answer, Exception):
                raise before.answer from None
            return before.answer  # type: ignore[no-any-return]

    async def ask(
        self,
        message: Any,
        *,
        id: UUID | None = None,  # noqa: A002 - the command's id
        timeout_seconds: float = 10.0,
    ) -> Any:
        """Ask another domain; raises Refusal, Unavailable, Unknown or Failed."""
        return await self._shard.domain.ask(
            message, id=id, timeout_seconds=timeout_seconds, join=True
        )

    def settle_with(self, answer: Any) -> None:
        """The answer is committed: give it to whoever waits."""
        self.settled = True
        self.answer(answer)

    def answer(self, answer: Any) -> None:
        """Give a reply, or an exception as a value; the first answer counts."""
        if not self.answered.done():
            self.answered.set_result(answer)

    async def look(self) -> None:
        """Go on only if its id has not acted yet; raises AlreadyAnswered."""
        item = Item(None, self.message, self.meta)
        item.looks, item.forced = self, None
        await self._shard.submit(item)

    async def settle_bare(self, answer: Any) -> None:
        """Write the answer in a transaction of its own."""
        item = Item(None, self.message, self.meta, due_id=self.due_id)
        item.settles, item.last, item.forced = self, True, answer
        try:
            await self._shard.submit(item)
        except (Refusal, AlreadyAnswered):
            return  # written (a refusal comes back as one), or there before

    def _item(self, message: Message) -> Item:
        handler = self._shard.domain.handlers.get(type(message))
        if handler is None or handler.kind is not HandlerKind.STEP:
            raise TypeError(f"{message.kind()} is no step of {self._shard.domain.name}")
        context = CURRENT.get()  # the process' span is the parent
        meta = Meta(
            id=new_id(),
            request_id=self.meta.request_id,
            traceparent=context.traceparent or self.meta.traceparent,
            actor=self.meta.actor,
            sequence=self.meta.sequence,
        )
        return Item(handler, message, meta, due_id=self.due_id)

    async def _await(self, item: Item) -> Any:
        return await self._shard.submit(item)


class Processes:
    """The processes of a shard: at most one a command id."""

    def __init__(self, shard: "Shard") -> None:
        self.running: dict[UUID, Run] = {}
        self._given_up: dict[UUID, None] = {}
        self._shard = shard
        self._tasks: dict[asyncio.Task[None], Run] = {}

    def known(self) -> set[UUID]:
        """The ids of those that run, or that bugs have ended for this incarnation."""
        return self.running.keys() | self._given_up.keys()

    def begin(self, handler: Handler, run: Run) -> None:
        """Run a process beside the mailbox."""
        self.running[run.id] = run
        task = asyncio.get_running_loop().create_task(self._drive(handler, run))
        self._tasks[task] = run
        task.add_done_callback(self._tasks.pop)

    def resume(self, row: Handled) -> None:
        """Take up a process that a crash, or a move of its slot, interrupted."""
        message, context = revive(row.resume_kind or "", row.resume or b"")
        handler = self._shard.domain.handlers[type(message)]
        meta = Meta.within(row.command_id, context)
        run = Run(self._shard, message, meta, body_hash=row.body_hash)
        run.day, run.opened, run.resumed = row.day, message, True
        self.begin(handler, run)

    def stop(self) -> None:
        """End all tasks; what they had opened is taken up by the next owner."""
        for task in list(self._tasks):
            task.cancel()

    def disown(self, moved: dict[int, int]) -> None:
        """Their slots have new owners: those go on with them, and answer."""
        for task, run in list(self._tasks.items()):
            if run.message.slot in moved:
                run.answer(Moved(moved[run.message.slot]))
                task.cancel()

    async def _drive(self, handler: Handler, run: Run) -> None:
        with traces.within(
            run.meta.context, run.message.kind(), souk_kind="process"
        ) as span:
            await self._answer(handler, run)
            if run.answered.done() and not run.answered.cancelled():
                _tell(span, run.answered.result())

    async def _answer(self, handler: Handler, run: Run) -> None:
        try:
            await self._shard.ready.wait()  # else it would run before `start()`
            answer = await self._repeat(handler, run)
            if answer is not None:
                await self._end(run, answer[0])
        finally:
            self.running.pop(run.id, None)
            if run.due_id:
                self._shard.timers.release(run.due_id)
            if not self._shard.left:  # else the next incarnation answers
                run.answer(Unknown("the process ended without an answer"))

    async def _repeat(self, handler: Handler, run: Run) -> tuple[Any] | None:
        """The function's result, after as many runs as it takes; None: given up."""
        tries = bugs = 0
        message = run.message
        while True:
            try:
                if run.keyed and run.opened is None:
                    await run.look()  # what it steps through may not ask for its id
                method = getattr(self._shard.domain, handler.method_name)
                return (await method(run, message),)
            except AlreadyAnswered as before:
                run.settled = True
                return (before.answer,)
            except AlreadyBegun as before:
                run.opened, run.resumed = before.resume, True
                message, handler = self._resumption(run.opened)
                continue
            except Refusal as refusal:
                return (refusal,)
            except (Unavailable, Unknown, Failed) as end:
                problem: Exception = end
            except Exception as error:
                bugs += 1
                self._shard.counts.failed(run.message.kind())
                problem = Failed(run.message.kind())
                self._shard.log.error(
                    "process-failed",
                    message_type=run.message.kind(),
                    command_id=str(run.id),
                    exc_info=error,
                )
            if run.opened is None or bugs >= BUG_TRIES_MAX:
                if run.opened is not None:
                    self._give_up(run.id)
                run.answer(problem)
                return None
            tries += 1
            message, handler = self._resumption(run.opened)
            delay = min(BACKOFF_SECONDS * 2 ** min(tries, 10), BACKOFF_SECONDS_MAX)
            await self._shard.clock.sleep(delay)

    def _give_up(self, command_id: UUID) -> None:
        """A bug would only fail again; what is not remembered is tried once more."""
        self._given_up[command_id] = None
        if len(self._given_up) > GIVEN_UP_MAX:
            del self._given_up[next(iter(self._given_up))]

    def _resumption(self, opened: Message) -> tuple[Message, Handler]:
        return opened, self._shard.domain.handlers[type(opened)]

    async def _end(self, run: Run, answer: Any) -> None:
        """Remember the answer where that is still to be done, and give it."""
        if not run.settled and self._to_remember(run, answer):
            await run.settle_bare(answer)
        elif run.opened is not None:
            self._shard.batches.finished.add(run.id)
        run.answer(answer)

    def _to_remember(self, run: Run, answer: Any) -> bool:
        """Whether a process that did not settle itself needs its row all the same."""
        if run.opened is not None or run.due_id or run.keyed:
            return True
        if isinstance(run.message, Event):
            return True
        kept = run.body_hash is not None and isinstance(answer, Refusal)
        return kept and bool(getattr(run.message, "remembered", False))


def _tell(span: traces.Span, answer: Any) -> None:
    """Say how a process ended."""
    if isinstance(answer, Refusal):
        span.note(souk_refusal_code=answer.code)
    elif isinstance(answer, Exception):
        span.fail(type(answer).__name__)
