"""What messaging says: mails and SMS, their delivery log, the mailbox, failures."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

from bus.kit.addressing import new_id
from bus.kit.messages import ANY, Command, Event, Query, by
from bus.kit.refusals import Refusal, conflict, invalid
from bus.kit.values import Done, Page, Value

MAILBOX_LIST_MAX = 200
SUBJECT_MAX = 200
TEXT_MAX = 20_000
SMS_CHARACTERS_MAX = 459  # three parts of 153 (GSM 03.38)
LETTER = "letter"
"""The template that says what its data say: `subject`, and for a mail `text`."""

Channel = Literal["email", "sms"]
Priority = Literal["security", "normal"]
MessageStatus = Literal["QUEUED", "SENT", "FAILED"]

# --- views -------------------------------------------------------------------


class MessageView(Value, frozen=True, kw_only=True):
    """One message of the delivery log; `reason` says why it is not sent yet."""

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
    """Queue a FAILED message again; `message-not-failed` for any other."""

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

    Never, when it failed for a `permanent` reason or was tried often enough.
    """

    key = by("message_id")
    remembered = False
    message_id: UUID
    attempts: int
    reason: str
    permanent: bool


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


# --- NATS services -----------------------------------------------------------

Address = Annotated[
    str, msgspec.Meta(min_length=3, max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")
]
TemplateName = Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[a-z][a-z0-9_]*$")]
IdempotencyKey = Annotated[str, msgspec.Meta(min_length=16, max_length=64)]
Locale = Annotated[
    str, msgspec.Meta(max_length=16, pattern=r"^[a-z]{2,3}([_-][A-Za-z0-9]+)*$")
]


Subject = Annotated[str, msgspec.Meta(min_length=1, max_length=SUBJECT_MAX)]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT_MAX)]
Phone = Annotated[str, msgspec.Meta(pattern=r"^\+[1-9][0-9]{6,14}$")]
SmsText = Annotated[str, msgspec.Meta(min_length=1, max_length=SMS_CHARACTERS_MAX)]
Places = dict[str, str | int | float | bool | None]


class EmailSendTemplateRequest(
    Value, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """Send a mail made from a template; `data` fills its places.

    Refused at once: `template-unknown`, `template-data-wrong`, `address-unusable`.
    """

    to: Address
    template: TemplateName
    data: Places = {}
    locale: Locale = "en"
    idempotency_key: IdempotencyKey | None = None

    def to_message(self) -> SendEmail:
        """The command that is meant."""
        return SendEmail(
            message_id=_message_id(self.idempotency_key),
            to=self.to,
            template=self.template,
            data=dict(self.data),
            locale=self.locale,
            checked=True,
        )


class EmailSendRequest(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Send a mail with this `subject` and `text`; or, as before, with a `template`.

    Refused as `content-required` unless it has either both or a template.
    """

    to: Address
    subject: Subject | None = None
    text: Text | None = None
    template: TemplateName | None = None
    data: Places = {}
    locale: Locale = "en"
    idempotency_key: IdempotencyKey | None = None

    def to_message(self) -> SendEmail:
        """The command that is meant; refuses what is neither or both."""
        data: Places = {"subject": self.subject, "text": self.text}
        if self.template is None:
            if None in data.values() or self.data:
                raise content_required()
        elif any(data.values()):
            raise content_required()
        else:
            data = self.data
        return SendEmail(
            message_id=_message_id(self.idempotency_key),
            to=self.to,
            template=self.template or LETTER,
            data=dict(data),
            locale=self.locale,
            checked=True,
        )


class SmsSendRequest(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Send an SMS with this `text` to an E.164 number."""

    to: Phone
    text: SmsText
    idempotency_key: IdempotencyKey | None = None

    def to_message(self) -> SendSms:
        """The command that is meant."""
        return SendSms(
            message_id=_message_id(self.idempotency_key),
            to=self.to,
            template=LETTER,
            data={"subject": self.text},
        )


SERVICES: dict[str, Any] = {
    "email.send": EmailSendRequest,
    "email.send-template": EmailSendTemplateRequest,
    "sms.send": SmsSendRequest,
}
"""NATS subject → the form of its request."""


def _message_id(key: str | None) -> UUID:
    """A new id; those of one key meet in one slot, where the kit knows the first."""
    return new_id(key)
