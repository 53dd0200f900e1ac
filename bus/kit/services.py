"""Request and reply over NATS: JSON in, JSON or a problem document out."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from types import UnionType
from typing import Any, Protocol, get_args, get_type_hints
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec
from nats.micro import add_service
from nats.micro.service import (
    EndpointConfig,
    EndpointStats,
    Service,
    ServiceConfig,
)

from bus.kit import families, traces
from bus.kit.addressing import new_id
from bus.kit.messages import Message, reply_type
from bus.kit.metrics import Meters
from bus.kit.refusals import Failed, Unavailable
from bus.kit.requests import Incoming, Rejected, read
from bus.kit.tasks import end_tasks

VERSION = "1.0.0"
REQUESTS_MAX = 1_000

Ask = Callable[..., Awaitable[Any]]


class Request(Protocol):
    """The body of a request; unknown fields are refused by its type."""

    def to_message(self) -> Message:
        """The command or query that it stands for."""


class Services:
    """Answers subjects, each request beside the others; `services` is a subject's form.

    One NATS service for each first word of a subject. Bridges share the subjects'
    queue group, so a request is answered by one of them.
    """

    def __init__(
        self, nc: Any, ask: Ask, *, log: Any, meters: Meters | None = None
    ) -> None:
        self._meters = meters or Meters()
        self._nc = nc
        self._ask = ask
        self._log = log
        self._counts: dict[str, Counts] = {}
        self._under_way: set[asyncio.Task[None]] = set()
        self._running: dict[str, Service] = {}

    async def start(self, services: dict[str, Any]) -> None:
        """Begin to answer."""
        for subject, kind in sorted(services.items()):
            name, _, verb = subject.partition(".")
            if name not in self._running:
                self._running[name] = await add_service(
                    self._nc,
                    ServiceConfig(
                        name=name,
                        version=VERSION,
                        description=f"What the shop answers under `{name}.`",
                        stats_handler=self._stats,
                    ),
                )
            self._counts[subject] = Counts(self._meters, subject)
            await self._running[name].add_endpoint(
                EndpointConfig(
                    name=verb,
                    subject=subject,
                    handler=self._endpoint(subject, kind),
                    metadata=described(kind),
                )
            )

    async def stop(self) -> None:
        """Take nothing more; what is under way ends unanswered."""
        for service in self._running.values():
            await service.stop()
        await end_tasks(self._under_way)

    def _endpoint(self, subject: str, kind: Any) -> Any:
        async def handle(request: Any) -> None:
            # A subscription waits for its handler: awaited here, one slow payment
            # would hold up all others.
            work = self._answer(Incoming(subject, request), kind)
            task = asyncio.create_task(work)
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

        return handle

    async def _answer(self, incoming: Incoming, kind: Any) -> None:
        counts, began_at = self._counts[incoming.subject], time.perf_counter_ns()
        headers: dict[str, str] | None = None
        with traces.within(incoming.context, incoming.subject, root=True) as span:
            try:
                reply = msgspec.json.encode(await self._reply(incoming, kind))
            except Exception as error:  # noqa: BLE001 - a bug: logged, and answered
                rejected = Rejected.of(error, incoming.context.request_id)
                if rejected.status == 500 and not isinstance(error, Failed):
                    self._log.error(
                        "service-failed", subject=incoming.subject, exc_info=error
                    )
                counts.failed(rejected.code)
                if rejected.status >= 500:
                    span.fail(rejected.code)
                reply, headers = rejected.body, rejected.headers
        counts.requests += 1
        counts.nanoseconds += time.perf_counter_ns() - began_at
        await incoming.respond(reply, headers, self._log)

    async def _reply(self, incoming: Incoming, kind: Any) -> Any:
        if len(self._under_way) > REQUESTS_MAX:
            raise Unavailable("too many requests are under way")
        return await answer(incoming.subject, kind, self._ask, incoming.data)

    def _stats(self, stats: EndpointStats) -> None:
        """The library sees the hand-over alone; these are the numbers of the work."""
        counts = self._counts[stats.subject]
        stats.num_errors, stats.last_error = counts.errors, counts.last_error
        stats.processing_time = counts.nanoseconds
        stats.average_processing_time = counts.nanoseconds // max(1, stats.num_requests)


class Counts:
    """What one subject has done."""

    def __init__(self, meters: Meters, subject: str) -> None:
        self.requests = 0
        self.nanoseconds = 0
        self.errors = 0
        self.last_error: str | None = None
        meters.gauge(families.SERVICE_REQUESTS, lambda: self.requests, subject=subject)
        meters.gauge(families.SERVICE_ERRORS, lambda: self.errors, subject=subject)

    def failed(self, code: str) -> None:
        """A request ended in an error."""
        self.errors += 1
        self.last_error = code


async def answer(subject: str, kind: Any, ask: Ask, data: bytes) -> Any:
    """The reply to one request; a command with an `idempotency_key` acts once.

    The key counts for its subject, for 24 hours: with the same body it is answered
    as before, with another one refused as `idempotency-key-reused`.
    """
    body, digest = read(data, kind)
    key = getattr(body, "idempotency_key", None)
    if key is None:
        return await ask(body.to_message(), id=new_id())
    identity = command_id(subject, key)
    return await ask(
        body.to_message(), id=identity, body_hash=digest, keyed=True, join=True
    )


def command_id(subject: str, key: str) -> UUID:
    """The id of the command that a key names, the same each time."""
    return uuid5(NAMESPACE_URL, f"nats:{subject}:{key}")


def messages_of(kind: Any) -> tuple[type[Message], ...]:
    """The messages that a form can stand for: what its `to_message` says it gives."""
    given = get_type_hints(kind.to_message)["return"]
    return get_args(given) if isinstance(given, UnionType) else (given,)


def replies_of(kind: Any) -> list[Any]:
    """The types that a form's request can be answered with, each once."""
    return list(dict.fromkeys(reply_type(message) for message in messages_of(kind)))


def described(kind: Any) -> dict[str, str]:
    """What `nats micro info` shows of an endpoint: its forms as JSON Schema."""
    replies, components = msgspec.json.schema_components(replies_of(kind))
    reply = replies[0] if len(replies) == 1 else {"anyOf": list(replies)}
    return {
        "request": json.dumps(msgspec.json.schema(kind)),
        "reply": json.dumps({**reply, "$defs": components}),
    }
