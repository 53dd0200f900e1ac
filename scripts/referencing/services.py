"""The page of what is answered over NATS by request and reply."""

from typing import Any

from actors.kit.declarations import services
from bus.kit.requests import KEY_LENGTH_MAX, KEY_LENGTH_MIN, REQUEST_BYTES_MAX
from bus.kit.services import replies_of
from scripts.referencing.markdown import fields, page, readable, summary, table

INTRODUCTION = f"""\
JSON in, JSON out. They are NATS services: `nats micro ls` finds them. The account
`services` in `credentials.json` may call them and nothing else;
[others may call less](../how-to/nats-accounts.md). A request has at most
{REQUEST_BYTES_MAX // 1024} KiB. An `idempotency_key` of {KEY_LENGTH_MIN} to
{KEY_LENGTH_MAX} characters makes a command act once: for 24 hours it is answered as
before, and with another body refused as `idempotency-key-reused`. It counts for its
subject. An error is the same problem document as over HTTP, with the headers
`Nats-Service-Error` and `Nats-Service-Error-Code`. The headers `traceparent` and
`X-Request-Id` are taken over. `nats micro info` shows each endpoint's forms as JSON
Schema."""


def services_page() -> str:
    """`docs/reference/services.md`."""
    heads = ("subject", "request", "reply")
    rows = [_row(subject, kind) for subject, kind in sorted(services().items())]
    return page("NATS services", INTRODUCTION, table(heads, rows))


def _row(subject: str, kind: Any) -> tuple[str, ...]:
    return (
        f"`{subject}`<br>{summary(kind)}",
        fields(kind),
        " or ".join(f"`{readable(reply)}`" for reply in replies_of(kind)),
    )
