"""What comes back after a message was sent: bounces, an SMS' fate, suppressions."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from bus.kit.messages import ANY, Command, Query, by
from bus.kit.refusals import Refusal, RefusalKind
from bus.kit.values import Done, Page, Value

TWILIO_PATH = "/messages/webhooks/twilio"
"""Where Twilio says what became of an SMS; its signature covers the whole URL."""

ReportEnd = Literal["hard", "soft", "delivered"]


class Suppression(Value, frozen=True, kw_only=True):
    """An address that mail bounced from, and how often.

    `suppressed`: it gets no mail but security mail, until an administrator removes it.
    """

    address: str
    reason: str
    bounces: int
    suppressed: bool
    created_at: datetime
    updated_at: datetime


class Report(Value, frozen=True, kw_only=True):
    """What a proven report says of one message; `reason` is a code."""

    message_id: UUID
    end: ReportEnd
    reason: str


class ReadBounce(Query[Report | None], frozen=True, kw_only=True):
    """Prove and read a delivery status notification (RFC 3464); None: no news.

    Refused as `signature-invalid` unless it names a return path of this shop's own.
    """

    key = ANY
    content: bytes
    content_type: str


class ReadSmsStatus(Query[Report | None], frozen=True, kw_only=True):
    """Prove and read what Twilio says of an SMS; None: no news."""

    key = ANY
    path: str
    body: bytes
    signature: str


class NoteReport(Command[Done], frozen=True, kw_only=True):
    """Write down what became of a message; twice is once, and late is not too late."""

    key = by("message_id")
    message_id: UUID
    end: ReportEnd
    reason: str


class ListSuppressions(Query[Page[Suppression]], frozen=True, kw_only=True):
    """The addresses that mail bounced from, by address."""

    key = ANY
    limit: int = 20
    cursor: str | None = None


class RemoveSuppression(Command[Done], frozen=True, kw_only=True):
    """Let an address get mail again; 404 for one that is not there."""

    key = by("address")
    address: str


def signature_invalid() -> Refusal:
    """Nothing shows that the report is of a message of this shop."""
    return Refusal(
        RefusalKind.FORBIDDEN, "signature-invalid", "The signature is not ours."
    )
