"""Reading what comes back: delivery status notifications, and Twilio's callbacks."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.errors import MessageError
from email.message import Message
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit
from uuid import UUID

from actors.messaging.return_paths import ReturnPaths
from bus.messaging import Report, signature_invalid

REPORT_BYTES_MAX = 512 * 1024
FIELDS_MAX = 64

# RFC 3463: there is no such mailbox, or host, or it takes nothing any more.
_HARD = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1", "5.4.4"})
_STATUS = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}")
_ADDRESSED = ("to", "delivered-to", "x-original-to", "envelope-to", "return-path")
_SMS_FAILED = frozenset({"failed", "undelivered"})


def read_bounce(content: bytes, content_type: str, paths: ReturnPaths) -> Report | None:
    """What a bounce says of a message; None: nothing that is news.

    Takes the notification itself (RFC 3464), as a mail server's pipe hands it over, or
    JSON of a provider's: `{"return_path", "action", "status"}`. Refused as
    `signature-invalid` unless it names a return path that was signed here.
    """
    if len(content) > REPORT_BYTES_MAX:
        raise signature_invalid()
    if content_type.partition(";")[0].strip().lower() == "application/json":
        named, fields = _of_json(content)
    else:
        named, fields = _of_mail(content)
    message_id = next((it for text in named if (it := paths.read(text))), None)
    if message_id is None:
        raise signature_invalid()
    for action, status in fields:
        if action == "failed":
            return _report(message_id, status)
        if action in ("delivered", "relayed"):
            return Report(message_id=message_id, end="delivered", reason=action)
    return None


def read_sms_status(
    url: str, body: bytes, signature: str, secret: str
) -> Report | None:
    """What Twilio says of an SMS; None: that it is on its way.

    Refused as `signature-invalid` unless Twilio signed the URL and the form with the
    account's token (HMAC-SHA1 over the URL and the sorted parameters, base64).
    """
    try:
        form = parse_qsl(
            body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX
        )
        named = parse_qs(urlsplit(url).query)
    except ValueError:
        raise signature_invalid() from None
    signed = url + "".join(name + value for name, value in sorted(set(form)))
    digest = hmac.new(secret.encode(), signed.encode(), hashlib.sha1).digest()
    expected = base64.b64encode(digest)
    if not secret or not hmac.compare_digest(
        expected, signature.encode("ascii", "replace")
    ):
        raise signature_invalid()
    try:
        message_id = UUID(named["message_id"][-1])
    except (KeyError, ValueError):
        return None
    facts = dict(form)
    status = facts.get("MessageStatus", "")
    if status in _SMS_FAILED:
        code = facts.get("ErrorCode", "")
        reason = f"sms-{status}"
        if code.isdigit() and len(code) < 7:
            reason = f"{reason}-{code}"
        return Report(message_id=message_id, end="soft", reason=reason)
    if status == "delivered":
        return Report(message_id=message_id, end="delivered", reason=status)
    return None


def _report(message_id: UUID, status: str) -> Report:
    found = _STATUS.search(status)
    code = found[0] if found else ""
    return Report(
        message_id=message_id,
        end="hard" if code in _HARD else "soft",
        reason=f"bounced-{code}" if code else "bounced",
    )


def _of_json(content: bytes) -> tuple[list[str], list[tuple[str, str]]]:
    try:
        body: Any = json.loads(content)
    except (ValueError, RecursionError):
        return [], []
    if not isinstance(body, dict):
        return [], []
    fields = {
        name: str(body.get(name, ""))[:FIELDS_MAX] for name in ("action", "status")
    }
    action = fields["action"].lower() or "failed"
    return [str(body.get("return_path", ""))], [(action, fields["status"])]


def _of_mail(content: bytes) -> tuple[list[str], list[tuple[str, str]]]:
    try:
        mail = message_from_bytes(content, policy=policy.compat32)
        named = [str(mail[name]) for name in _ADDRESSED if mail[name] is not None]
        if mail.get_content_type() != "multipart/report":
            return named, []
        return named, list(_recipients(mail))
    except (MessageError, ValueError, LookupError, RecursionError):
        return [], []


def _recipients(mail: Message) -> Iterator[tuple[str, str]]:
    """(action, status) of each recipient of the report."""
    for part in mail.walk():
        if part.get_content_type() != "message/delivery-status":
            continue
        blocks = part.get_payload()
        for block in blocks[:FIELDS_MAX] if isinstance(blocks, list) else ():
            if isinstance(block, Message) and block["action"] is not None:
                action = str(block["action"]).strip().lower()
                yield action, str(block["status"] or "")
        return
