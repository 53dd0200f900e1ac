"""SMS: to Twilio's API where an account is set, else into the log with a page."""

import asyncio
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx

from actors.messaging.outcomes import Ends, Failure, Note, Outcome
from actors.messaging.sink import Sink
from bus.kit.settings import Settings
from bus.kit.values import Value
from bus.messaging import TWILIO_PATH

TEXT_MAX = 1_600  # Twilio's own bound of a `Body`
AT_ONCE_MAX = 8
REPLY_SECONDS_MAX = 15.0
RETRY_AFTER_SECONDS_MAX = 3_600

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
# What a shop can put right, so that the message is not lost meanwhile.
_OURS = frozenset({401, 403, 404})


class TextMessage(Value, frozen=True):
    """What a carrier is handed."""

    message_id: UUID
    to: str
    body: str


class UnusableNumber(ValueError):
    """No number in E.164."""


def text_message(message_id: UUID, to: str, body: str) -> TextMessage:
    """Check the number; a longer text is cut. Raises UnusableNumber."""
    if not _E164.fullmatch(to):
        raise UnusableNumber
    return TextMessage(message_id, to, body[:TEXT_MAX])


class SmsLog:
    """The embedded default: nothing leaves, and the mailbox shows it."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    async def send(self, texts: Sequence[TextMessage], note: Note) -> None:
        """Keep them all."""
        ends = Ends(note)
        full = Failure("mailbox-full", permanent=False)
        for text in texts:
            kept = self._sink.catch("sms", text.to, text.body.encode())
            await ends.add(text.message_id, None if kept else full)
        await ends.flush()

    def close(self) -> None:
        """Nothing is open."""


class Twilio:
    """Twilio's Programmable Messaging, `POST …/Messages.json`.

    Twilio knows no idempotency key: where no answer comes the SMS is sent again, and
    may come twice. Its status callback names the message, so no number of theirs is
    kept here.
    """

    def __init__(self, client: httpx.AsyncClient, settings: Settings) -> None:
        self._client = client
        account = quote(settings.twilio_account_sid, safe="")
        base = f"{settings.twilio_url}/2010-04-01/Accounts/{account}"
        self._url = f"{base}/Messages.json"
        self._login = (settings.twilio_account_sid, settings.twilio_auth_token)
        self._public_url = settings.public_url.rstrip("/")
        # A messaging service chooses the number itself.
        service = settings.twilio_from.startswith("MG")
        name = "MessagingServiceSid" if service else "From"
        self._sender = {name: settings.twilio_from}

    async def send(self, texts: Sequence[TextMessage], note: Note) -> None:
        """Hand them over, a few at once."""
        ends = Ends(note)
        for start in range(0, len(texts), AT_ONCE_MAX):
            some = texts[start : start + AT_ONCE_MAX]
            outcomes = await asyncio.gather(*(self._send_one(text) for text in some))
            for text, outcome in zip(some, outcomes, strict=True):
                await ends.add(text.message_id, outcome)
        await ends.flush()

    def close(self) -> None:
        """The client is the domain's."""

    async def _send_one(self, text: TextMessage) -> Outcome:
        form = {"To": text.to, "Body": text.body, **self._sender}
        if self._public_url:
            place = f"{TWILIO_PATH}?message_id={text.message_id}"
            form["StatusCallback"] = self._public_url + place
        try:
            async with asyncio.timeout(REPLY_SECONDS_MAX):
                answer = await self._client.post(self._url, data=form, auth=self._login)
        except (TimeoutError, httpx.TimeoutException):
            return Failure("sms-provider-timeout", permanent=False)
        except httpx.HTTPError:
            return Failure("sms-provider-unreachable", permanent=False)
        return _outcome(answer)


def _outcome(answer: httpx.Response) -> Outcome:
    status = answer.status_code
    if status // 100 == 2:
        return None
    if status == 429 or status // 100 != 4:
        wait = answer.headers.get("retry-after", "")
        seconds = int(wait) if wait.isdigit() and len(wait) < 8 else 0
        after = float(min(seconds, RETRY_AFTER_SECONDS_MAX))
        reason = "sms-provider-busy" if status == 429 else f"sms-provider-{status}"
        return Failure(reason, permanent=False, after_seconds=after)
    if status in _OURS:
        return Failure("sms-provider-refused-login", permanent=False)
    return Failure(f"sms-refused-{_code(answer) or status}", permanent=True)


def _code(answer: httpx.Response) -> int | None:
    """Twilio's error code, such as 21211 for a number that cannot be."""
    try:
        body: Any = answer.json()
    except ValueError:
        return None
    code = body.get("code") if isinstance(body, dict) else None
    return code if isinstance(code, int) and 0 < code < 1_000_000 else None
