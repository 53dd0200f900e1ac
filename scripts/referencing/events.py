"""The page of events: their subjects, data and consumers."""

from actors import DOMAINS
from bus.kit.messages import Event
from bus.kit.streams import DUPLICATE_SECONDS, EVENTS, STREAM_SECONDS_MAX
from scripts.referencing import catalogue
from scripts.referencing.markdown import fields, page, summary, table

INTRODUCTION = f"""\
JetStream keeps them in the stream `{EVENTS}` for {STREAM_SECONDS_MAX // 86_400} days.
Each message is a CloudEvents 1.0 JSON document; its `Nats-Msg-Id` is the document's
`id`, which JetStream uses to drop copies for {DUPLICATE_SECONDS} s. `sequence` counts
up by one for each `subject`, without gaps. Delivery is at least once, and in order for
each subject. [schemas](../schemas) has a JSON Schema of every type's whole document;
a published one never changes: another shape is another version.
[asyncapi.yaml](../asyncapi.yaml) lists them all."""

EXAMPLE = """\
```json
{
  "specversion": "1.0",
  "id": "0193…",
  "source": "/orders",
  "type": "orders.order_confirmed.v1",
  "subject": "<order id>",
  "time": "2026-01-01T12:00:00.000000Z",
  "sequence": "2",
  "data": {"order_id": "…"}
}
```

`traceparent` is there when the request that led to the event had one. `data` holds ids
and facts, never a person's name, address, e-mail, phone or free text."""

HEADS = ("event", "entity (`subject`)", "data", "consumed by")


def events_page() -> str:
    """`docs/reference/events.md`."""
    parts = [INTRODUCTION, EXAMPLE]
    for domain in DOMAINS:
        parts.append(f"## {domain}")
        parts.append(table(HEADS, [_row(kind) for kind in catalogue.events(domain)]))
    return page("Events", *parts)


def _row(kind: type[Event]) -> tuple[str, ...]:
    return (
        f"`{kind.nats_subject()}` (v{kind.type_version})<br>{summary(kind)}",
        f"`{kind.subject}`",
        fields(kind),
        ", ".join(catalogue.consumers(kind)) or "—",
    )
