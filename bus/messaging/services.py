"""What messaging says over NATS: mails and SMS, asked for by outside callers."""

from typing import Annotated, Any
from uuid import UUID

import msgspec

from bus.kit.addressing import new_id
from bus.kit.values import Value
from bus.messaging.log import LETTER, SendEmail, SendSms, content_required

SUBJECT_MAX = 200
TEXT_MAX = 20_000
SMS_CHARACTERS_MAX = 459  # three parts of 153 (GSM 03.38)

Address = Annotated[
    str, msgspec.Meta(min_length=3, max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")
]
TemplateName = Annotated[
    str, msgspec.Meta(max_length=64, pattern=r"^[a-z][a-z0-9_-]*$")
]
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
