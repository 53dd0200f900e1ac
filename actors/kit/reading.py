"""Reading: queries run beside the batches, many of one type in one statement."""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from actors.kit.domain import Handler
from actors.kit.wire import Sent
from bus.kit import traces
from bus.kit.messages import Message
from bus.kit.refusals import ENDS, Unavailable
from persistence.kit.database import CONNECTION_LOST, Db

if TYPE_CHECKING:
    from actors.kit.shard import Shard

QUERIES_MAX = 256
ROUNDS_MAX = 2
NO_DATABASE = "the database does not answer"

Waiting = tuple[Message, Sent, "asyncio.Future[Any]", traces.Span]


class Reading:
    """Runs a shard's queries on its read connections.

    Queries whose handler takes many gather while ROUNDS_MAX rounds of their type are
    under way, as messages do in a lane; all others run at once, one by one.
    """

    def __init__(self, shard: "Shard") -> None:
        self._shard = shard
        self._waiting: dict[Handler, deque[Waiting]] = defaultdict(deque)
        self._rounds: dict[Handler, int] = defaultdict(int)
        self._tasks: set[asyncio.Task[None]] = set()
        self.under_way = 0

    def ask(
        self, handler: Handler, message: Message, sent: Sent
    ) -> "asyncio.Future[Any]":
        """The answer to come: a reply, or an exception as a value."""
        self.under_way += 1
        answer = self._answer(handler, message, sent)
        answer.add_done_callback(self._answered)
        return answer

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[Db]:
        """A read connection for a process; raises Unavailable where that breaks.

        So a database that is away counts as that, and not as a bug of the process.
        """
        try:
            async with self._shard.database.read() as db:
                yield db
        except CONNECTION_LOST as error:
            self._shard.log.warning("read-failed", error=repr(error))
            raise Unavailable(NO_DATABASE) from error

    def _answered(self, _: "asyncio.Future[Any]") -> None:
        self.under_way -= 1

    def _answer(
        self, handler: Handler, message: Message, sent: Sent
    ) -> "asyncio.Future[Any]":
        loop = asyncio.get_running_loop()
        if not handler.many:
            return loop.create_task(self._one(handler, message, sent))
        answer: asyncio.Future[Any] = loop.create_future()
        span = traces.begin(sent.kind, "server", sent.context.traceparent)
        self._waiting[handler].append((message, sent, answer, span))
        if self._rounds[handler] < ROUNDS_MAX:
            self._rounds[handler] += 1
            task = loop.create_task(self._many(handler))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return answer

    async def _one(self, handler: Handler, message: Message, sent: Sent) -> Any:
        with traces.within(sent.context, sent.kind, souk_kind="query") as span:
            try:
                return await self._run(handler, message)
            except Exception as error:  # noqa: BLE001 - an answer, or a bug logged here
                span.fail(type(error).__name__)
                return self._end(error, sent)

    async def _many(self, handler: Handler) -> None:
        waiting = self._waiting[handler]
        try:
            while waiting:
                count = min(len(waiting), QUERIES_MAX)
                taken = [waiting.popleft() for _ in range(count)]
                await self._round(handler, taken)
        finally:
            self._rounds[handler] -= 1

    async def _round(self, handler: Handler, taken: Sequence[Waiting]) -> None:
        """Answer a round; one that fails is run again alone, so that only it fails."""
        try:
            spans = (span for _, _, _, span in taken)
            with traces.joint("queries", spans, souk_batch_size=len(taken)):
                answers = await self._run(handler, [each[0] for each in taken])
        except Exception as error:  # noqa: BLE001 - an answer, or a bug logged here
            if len(taken) > 1:
                for each in taken:
                    await self._round(handler, [each])
                return
            answers = [self._end(error, taken[0][1])]
        for (_, _, future, span), answer in zip(taken, answers, strict=True):
            span.end(answer)
            if not future.done():
                future.set_result(answer)

    async def _run(self, handler: Handler, asked: Any) -> Any:
        began_at = time.perf_counter()
        async with self._shard.database.read() as db:
            answer = await getattr(self._shard.domain, handler.method_name)(db, asked)
        self._shard.counts.query_seconds.observe(time.perf_counter() - began_at)
        if handler.many and len(answer) != len(asked):
            raise ValueError(f"{handler.method_name} answered not every query")
        return answer

    def _end(self, error: Exception, sent: Sent) -> Exception:
        log = self._shard.log
        if isinstance(error, CONNECTION_LOST):
            log.warning("query-failed", message_type=sent.kind, error=repr(error))
            return Unavailable(NO_DATABASE)
        if not isinstance(error, ENDS):
            self._shard.counts.failed(sent.kind)
            log.error(
                "query-failed",
                message_type=sent.kind,
                request_id=sent.context.request_id,
                exc_info=error,
            )
        return error
