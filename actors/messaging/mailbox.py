"""What the embedded default caught, read for people."""

from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from bus.messaging import CaughtMessage


def read_caught(row: Any) -> CaughtMessage:
    """A row of the mailbox as a page shows it; a mail's bytes are parsed only here."""
    if row["channel"] == "sms":
        subject, text, html = "", row["content"].decode(), None
    else:
        subject, text, html = _parts(row["content"])
    return CaughtMessage(
        id=row["id"],
        channel=row["channel"],
        to=row["recipient"],
        subject=subject,
        text=text,
        html=html,
        at=row["at"],
    )


def _parts(content: bytes) -> tuple[str, str, str | None]:
    mail = message_from_bytes(content, policy=policy.default)
    return str(mail["subject"] or ""), _text(mail, "plain") or "", _text(mail, "html")


def _text(mail: EmailMessage, kind: str) -> str | None:
    part = mail.get_body((kind,))
    if part is None:
        return None
    return str(part.get_content()).replace("\r\n", "\n")
