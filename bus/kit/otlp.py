"""Spans as OpenTelemetry makes and sends them; imported only where they are wanted."""

import logging
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
)

from bus.kit.refusals import Refusal
from bus.kit.settings import Settings
from bus.kit.traces import OTLP_PATH, Span

QUEUE_MAX = 4_096
SEND_MAX = 512
SEND_SECONDS = 1.0
SEND_SECONDS_MAX = 5.0
ATTRIBUTES_MAX = 32

_KINDS = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}


class Tracing:
    """Makes this process' spans and sends them, from a thread of its own.

    What the collector does not take in time is dropped: at most QUEUE_MAX spans wait,
    and nobody waits for them.
    """

    def __init__(self, settings: Settings, process_name: str, version: str) -> None:
        exporter = OTLPSpanExporter(
            endpoint=f"{settings.otlp_url.rstrip('/')}/{OTLP_PATH}",
            headers=_headers(settings.otlp_headers),
            timeout=SEND_SECONDS_MAX,
        )
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(settings.trace_ratio)),
            resource=Resource.create(
                {
                    "service.name": "souk",
                    "service.version": version,
                    "service.instance.id": process_name,
                    "deployment.environment.name": settings.profile,
                }
            ),
            span_limits=SpanLimits(max_attributes=ATTRIBUTES_MAX),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(
                exporter,
                max_queue_size=QUEUE_MAX,
                max_export_batch_size=SEND_MAX,
                schedule_delay_millis=SEND_SECONDS * 1000,
            )
        )
        self._tracer = self._provider.get_tracer("souk", version)
        # A collector that is away would fill the logs with its stack traces.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)

    def begin(
        self,
        name: str,
        kind: str,
        parent: str | None,
        others: tuple[Span, ...],
        attributes: dict[str, Any],
        began_at: int | None = None,
    ) -> Span:
        """Begin a span under a `traceparent`, or a trace of its own."""
        links = [Link(_read(one.traceparent)) for one in others if one.traceparent]
        return _Traced(
            self._tracer.start_span(
                name,
                context=_under(parent),
                kind=_KINDS[kind],
                attributes=_dotted(attributes),
                links=links,
                start_time=began_at,
            )
        )

    def flush(self, seconds: float = SEND_SECONDS_MAX) -> None:
        """Send what waits."""
        self._provider.force_flush(int(seconds * 1000))

    def stop(self) -> None:
        """Send what waits, and end the thread."""
        self._provider.shutdown()


class _Traced(Span):
    """A span of OpenTelemetry's."""

    __slots__ = ("_span", "traceparent")

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        context = span.get_span_context()
        self.traceparent = (
            f"00-{context.trace_id:032x}-{context.span_id:016x}"
            f"-{int(context.trace_flags):02x}"
        )

    def note(self, **attributes: str | float | bool) -> None:
        """Say more of it."""
        self._span.set_attributes(_dotted(attributes))

    def rename(self, name: str) -> None:
        """Call it otherwise."""
        self._span.update_name(name)

    def link(self, other: Span) -> None:
        """Name another span that has to do with this one."""
        if other.traceparent:
            self._span.add_link(_read(other.traceparent))

    def end(self, error: object = None) -> None:
        """It is over; a refusal is an answer, and a bug's words are not told."""
        if isinstance(error, Refusal):
            self._span.set_attribute("souk.refusal.code", error.code)
        elif isinstance(error, BaseException):
            self.fail(type(error).__name__)
        self._span.end()

    def fail(self, kind: str) -> None:
        """It has failed, in this way."""
        self._span.set_attribute("error.type", kind)
        self._span.set_status(Status(StatusCode.ERROR))


def _under(parent: str | None) -> Any:
    if not parent:
        return trace.set_span_in_context(trace.INVALID_SPAN)
    return trace.set_span_in_context(NonRecordingSpan(_read(parent)))


def _read(traceparent: str | None) -> SpanContext:
    _, trace_id, span_id, flags = (traceparent or "").split("-")
    return SpanContext(
        int(trace_id, 16), int(span_id, 16), True, TraceFlags(int(flags, 16))
    )


def _dotted(attributes: dict[str, Any]) -> dict[str, Any]:
    """`http_route` as `http.route`; `status__code` as `status_code`."""
    return {
        name.replace("__", "\0").replace("_", ".").replace("\0", "_"): value
        for name, value in attributes.items()
    }


def _headers(text: str) -> dict[str, str]:
    """`name=value,other=value`, as OTEL_EXPORTER_OTLP_HEADERS has it."""
    pairs = (part.partition("=") for part in text.split(",") if part.strip())
    return {name.strip().lower(): value.strip() for name, _, value in pairs}
