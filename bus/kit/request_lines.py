"""A line of the log for every request: gathered for a moment, then written at once.

The same documents as `bus.kit.logs` makes; the way through its chain and a write of its
own were among the dearest things that the gateway did for an order. A process
that is killed takes its last GATHER_SECONDS of these lines with it, but no error's
own line: that is
none of these, and written when it happens.
"""

import asyncio
import logging
import os
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from bus.kit import logs

GATHER_SECONDS = 0.1
GATHERED_MAX = 1_000

_LOGGER = "gateway"
_encoder = msgspec.json.Encoder()


class RequestLine(msgspec.Struct, frozen=True, kw_only=True):
    """A request that was answered; `at` is in seconds since the epoch."""

    at: float
    method: str
    route: str
    status: int
    nanoseconds: int
    request_id: str
    traceparent: str
    user_id: UUID | None

    @property
    def failed(self) -> bool:
        """Whether the shop could not do what was asked, for no fault of the asker."""
        return self.status >= 500


_NAMES = {
    "timestamp": "@timestamp",
    "level": "log.level",
    "ecs_version": "ecs.version",
    "service": "service.name",
    "dataset": "event.dataset",
    "logger": "log.logger",
    "process_id": "process.pid",
    "method": "http.request.method",
    "route": "url.path",
    "status": "http.response.status_code",
    "nanoseconds": "event.duration",
    "outcome": "event.outcome",
    "transaction_id": "transaction.id",
    "user_id": "user.id",
    "process_name": "process.name",
    "request_id": "http.request.id",
    "trace_id": "trace.id",
    "span_id": "span.id",
}


class _Document(msgspec.Struct, frozen=True, kw_only=True, rename=_NAMES):
    timestamp: str
    level: str
    message: str = "request"
    ecs_version: str = logs.ECS_VERSION
    service: str = "souk"
    dataset: str = f"souk.{_LOGGER}"
    logger: str = _LOGGER
    process_id: int
    method: str
    route: str
    status: int
    nanoseconds: int
    outcome: str
    transaction_id: str
    user_id: UUID | None
    process_name: str
    request_id: str
    trace_id: str
    span_id: str


class RequestLines:
    """What waits to be written, by the loop that runs."""

    def __init__(self) -> None:
        self._waiting: list[RequestLine] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._logger = logging.getLogger(_LOGGER)

    @property
    def waiting(self) -> int:
        """How many are not yet written."""
        return len(self._waiting)

    def add(self, line: RequestLine) -> None:
        """Write it within GATHER_SECONDS; must be called in a running loop."""
        level = logging.WARNING if line.failed else logging.INFO
        if not self._logger.isEnabledFor(level):
            return
        self._waiting.append(line)
        if len(self._waiting) >= GATHERED_MAX:
            self.flush()
            return
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop = loop
            loop.call_later(GATHER_SECONDS, self.flush)

    def flush(self) -> None:
        """Write what waits, now."""
        self._loop = None
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        process = (os.getpid(), logs.process_name())
        text = "\n".join(_document(line, *process) for line in waiting)
        record = self._logger.makeRecord(
            _LOGGER, logging.INFO, __file__, 0, text, (), None
        )
        logs.mark_rendered(record)
        self._logger.handle(record)


LINES = RequestLines()
"""Those of this process."""


def _document(line: RequestLine, pid: int, process_name: str) -> str:
    moment = datetime.fromtimestamp(line.at, UTC).isoformat(timespec="microseconds")
    document = _Document(
        timestamp=f"{moment[:26]}Z",
        level="warning" if line.failed else "info",
        outcome="failure" if line.failed else "success",
        process_id=pid,
        method=line.method,
        route=line.route,  # its template: the path may name somebody
        status=line.status,
        nanoseconds=line.nanoseconds,
        transaction_id=line.traceparent[36:52],
        user_id=line.user_id,
        process_name=process_name,
        request_id=line.request_id,
        trace_id=line.traceparent[3:35],
        span_id=line.traceparent[36:52],
    )
    return _encoder.encode(document).decode()
