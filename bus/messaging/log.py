"""Mails and SMS: sending them, their delivery log, the mailbox, failures."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from bus.kit.messages import ANY, Command, Event, Query, by
from bus.kit.refusals import Refusal, conflict, invalid
from bus.kit.values import Done, Page, Value

MAILBOX_LIST_MAX = 200
TRIES_MAX = 24
LETTER = "letter"
"""The template that says what its data say: `subject`, and for a mail `text`."""

Channel = Literal["email", "sms"]
Priority = Literal["security", "normal"]
MessageStatus = Literal["QUEUED", "SENT", "DELIVERED", "FAILED", "BOUNCED"]

# --- views -------------------------------------------------------------------


class Try(Value, frozen=True, kw_only=True):
    """A try that failed, or what came back later: when, and why by its code."""

    at: datetime
    reason: str


class MessageView(Value, frozen=True, kw_only=True):
    """One message of the delivery log; `reason` says why it is not sent yet.

    `tries` are those that failed, the oldest first, the last `TRIES_MAX` of them.
    """

    id: UUID
    channel: Channel
    template: str
    recipient: str
    user_id: UUID | None
    status: MessageStatus
    attempts: int
    reason: str | None
    created_at: datetime
    updated_at: datetime
    sent_at: datetime | None
    next_attempt_at: datetime | None
    locale: str = "en"
    tries: tuple[Try, ...] = ()


class CaughtMessage(Value, frozen=True, kw_only=True):
    """A mail or an SMS that the embedded default caught instead of sending it."""

    id: UUID
    channel: Channel
    to: str
    subject: str
    text: str
    html: str | None
    at: datetime


# --- commands ----------------------------------------------------------------


class SendEmail(Command[Done], frozen=True, kw_only=True):
    """Send one mail; acts once by `message_id`, and is done when it is queued.

    `data` fills the template's places. Mail of the priority `security` (codes,
    changed passwords) goes before all other. An unknown template or an address that
    cannot be one leaves a visible FAILED message, not a refusal: whoever asks has
    nobody to tell. Who has somebody says `checked`: then it is refused at once, as
    `template-unknown`, `template-data-wrong` or `address-unusable`.
    """

    key = by("message_id")
    remembered = False
    message_id: UUID
    to: str
    template: str
    data: dict[str, Any] = msgspec.field(default_factory=dict)
    user_id: UUID | None = None
    locale: str = "en"
    priority: Priority = "normal"
    checked: bool = False


class SendSms(Command[Done], frozen=True, kw_only=True):
    """Send one SMS to an E.164 number; otherwise as SendEmail."""

    key = by("message_id")
    remembered = False
    message_id: UUID
    to: str
    template: str
    data: dict[str, Any] = msgspec.field(default_factory=dict)
    user_id: UUID | None = None
    locale: str = "en"
    priority: Priority = "normal"


class RetryMessage(Command[Done], frozen=True, kw_only=True):
    """Queue a FAILED message again; `message-not-failed` for any other.

    What came back (BOUNCED, or an SMS that failed on its way) has no data any more, for
    codes rest no longer than until they are sent: it is not tried again.
    """

    key = by("message_id")
    message_id: UUID


# --- steps: said by messaging to itself --------------------------------------


class TakeQueued(Command[Any], frozen=True, kw_only=True):
    """Read what has been committed of the queue, to hand it to SMTP."""

    key = by("message_id")
    remembered = False
    message_id: UUID
    message_ids: tuple[UUID, ...]


class MarkSent(Command[Done], frozen=True, kw_only=True):
    """The server took the message."""

    key = by("message_id")
    remembered = False
    message_id: UUID


class MarkFailed(Command[Done], frozen=True, kw_only=True):
    """A try failed, after `attempts` before it: again later, or never.

    Never, when it failed for a `permanent` reason or was tried often enough. Not before
    `after_seconds`, where the server named a time.
    """

    key = by("message_id")
    remembered = False
    message_id: UUID
    attempts: int
    reason: str
    permanent: bool
    after_seconds: float = 0.0


class KeepCaught(Command[Any], frozen=True, kw_only=True):
    """Write down what the embedded default has caught."""

    key = by("message_id")
    remembered = False
    message_id: UUID


class ResumeMessage(Command[Done], frozen=True, kw_only=True):
    """The time of a queued message's next try has come."""

    key = by("message_id")
    remembered = False
    message_id: UUID


# --- queries -----------------------------------------------------------------


class GetMessage(Query[MessageView], frozen=True, kw_only=True):
    """One message of the delivery log."""

    key = by("message_id")
    message_id: UUID


class ListMessages(Query[Page[MessageView]], frozen=True, kw_only=True):
    """The delivery log, newest first; `user_id`: what was written to one person."""

    key = ANY
    recipient: str | None = None
    status: MessageStatus | None = None
    user_id: UUID | None = None
    limit: int = 20
    cursor: str | None = None


class ListMailbox(Query[Page[CaughtMessage]], frozen=True, kw_only=True):
    """What the embedded default caught, newest first; empty with an outside server."""

    key = ANY
    to: str | None = None
    limit: int = MAILBOX_LIST_MAX


# --- refusals ----------------------------------------------------------------


def message_not_failed() -> Refusal:
    """Only a failed message can be tried again."""
    return conflict("message-not-failed", "Only failed messages are tried again.")


def content_required() -> Refusal:
    """A mail says either what it says itself, or which template."""
    return invalid(
        "content-required", "Give a subject and a text, or a template with its data."
    )


def unsendable(code: str) -> Refusal:
    """A mail that could never be made or addressed; `code` says why."""
    return invalid(code, _UNSENDABLE.get(code, "It cannot be sent."))


_UNSENDABLE = {
    "template-unknown": "There is no template of this name.",
    "template-data-wrong": "The template needs other data.",
    "address-unusable": "No mail can be addressed to it.",
}


# --- events ------------------------------------------------------------------


class MessageSent(Event, frozen=True, kw_only=True):
    """The server took a message."""

    key = by("message_id")
    subject = by("message_id")
    message_id: UUID
    channel: Channel
    template: str


class MessageFailed(Event, frozen=True, kw_only=True):
    """A message was given up; `reason` is a code such as `recipient-refused`."""

    key = by("message_id")
    subject = by("message_id")
    message_id: UUID
    channel: Channel
    template: str
    reason: str
