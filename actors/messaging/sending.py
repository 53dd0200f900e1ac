"""Sending: what is asked is queued in a step, and handed over behind it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from actors.kit.domain import Domain, handles, handles_many
from actors.messaging.decisions import next_attempt
from actors.messaging.letter import Letter, UnusableAddress, compose, envelope_address
from actors.messaging.outcomes import Ended, Failure, Outcome
from actors.messaging.outgoing import Line, Outgoing
from actors.messaging.return_paths import ReturnPaths
from actors.messaging.sms import TextMessage, UnusableNumber, text_message
from actors.messaging.templates import Templates, UnusableTemplate
from bus.kit.addressing import slot_of
from bus.kit.context import CURRENT, Context, checked_trace
from bus.kit.refusals import Refusal, not_found
from bus.kit.values import Done
from bus.messaging import (
    MarkFailed,
    MarkSent,
    MessageFailed,
    MessageSent,
    ResumeMessage,
    RetryMessage,
    SendEmail,
    SendSms,
    TakeQueued,
    message_not_failed,
    unsendable,
)
from persistence import messaging as store
from persistence.kit.database import Db
from persistence.kit.erased import erased_here
from persistence.kit.transaction import Tx
from persistence.messaging import Attempt, NewMessage, Queued

DONE = Done()
TRACE = "~traceparent"
"""Where the data of a queued message keep the trace that it belongs to."""


class Sending(Domain):
    """Mails and SMS, each handed over at least once and marked once.

    A crash between the server's 250 and the mark sends a mail again, with the same
    `Message-ID`; SMTP has no way to ask whether the first one was taken.
    """

    templates: Templates
    return_paths: ReturnPaths
    outgoing: Outgoing
    shop_url: str
    keep_all: Callable[[UUID], Awaitable[None]]

    # --- commands ------------------------------------------------------------

    @handles_many(SendEmail)
    async def send_email(
        self, tx: Tx, messages: list[SendEmail]
    ) -> list[Done | Refusal]:
        """Queue mails; they are handed to SMTP behind this transaction.

        What is meant for somebody who is gone is done by being dropped.
        """
        checked = [message for message in messages if message.checked]
        await self.take_templates(tx, {message.template for message in checked})
        refused = {
            id(message): refusal
            for message in checked
            if (refusal := self._wrong(message))
        }
        sent = [message for message in messages if id(message) not in refused]
        await self._queue(tx, sent, "email")
        return [refused.get(id(message), DONE) for message in messages]

    @handles_many(SendSms)
    async def send_sms(self, tx: Tx, messages: list[SendSms]) -> list[Done]:
        """Queue SMS."""
        await self._queue(tx, messages, "sms")
        return [DONE] * len(messages)

    async def _queue(
        self, tx: Tx, messages: Sequence[SendEmail | SendSms], channel: str
    ) -> None:
        people = {m.user_id for m in messages if m.user_id is not None}
        gone = await erased_here(tx, people)
        messages = [m for m in messages if m.user_id not in gone]
        new = await store.queue_messages(
            tx, (_row(m, channel, tx.meta(m).traceparent) for m in messages)
        )
        for message in messages:
            if message.message_id in new:
                line = Line(channel, message.priority == "security")
                self.outgoing.add(line, (message.message_id,))

    def _wrong(self, message: SendEmail) -> Refusal | None:
        """Why this mail could never be sent; made for trial, as it will be."""
        try:
            envelope_address(message.to)
            data = {"shop_url": self.shop_url, **message.data}
            self.templates.render(message.template, message.locale, data)
        except UnusableAddress:
            return unsendable("address-unusable")
        except UnusableTemplate as error:
            return unsendable(str(error))
        return None

    @handles(RetryMessage)
    async def retry_message(self, tx: Tx, command: RetryMessage) -> Done:
        """A failed message gets all its attempts again."""
        if not await store.requeue(tx, command.message_id):
            if await store.find_message(tx, command.message_id) is None:
                raise not_found("message")
            raise message_not_failed()
        await self._resume(tx, [command.message_id])
        return DONE

    # --- steps of its own ----------------------------------------------------

    @handles(TakeQueued)
    async def take_queued(self, tx: Tx, command: TakeQueued) -> list[Queued]:
        """What of these is committed: a step runs after the commits before it.

        The templates are those of the same moment, so a change counts for all that is
        sent after it, by whichever shard.
        """
        queued = await store.take_queued(tx, self.shard, command.message_ids)
        await self.take_templates(tx, {one.template for one in queued})
        return queued

    async def take_templates(self, db: Db, names: set[str]) -> None:
        """Have the shop's own templates of these names as they are now."""
        if not names:
            return
        keys = await store.own_versions(db, names)
        missing = self.templates.missing(keys)
        new = await store.own_templates(db, missing) if missing else []
        self.templates.take(names, keys, new)

    @handles_many(MarkSent)
    async def mark_sent(self, tx: Tx, messages: list[MarkSent]) -> list[Done]:
        """Many messages were taken by the server: one statement for all."""
        ids = [message.message_id for message in messages]
        marked = await store.mark_sent(tx, ids)
        for message in messages:
            if subject := marked.pop(message.message_id, None):
                told = MessageSent(**msgspec.structs.asdict(subject))
                tx.tell(told, about=message)
        return [DONE] * len(messages)

    @handles_many(MarkFailed)
    async def mark_failed(self, tx: Tx, messages: list[MarkFailed]) -> list[Done]:
        """Tries failed: the next ones are due later, or the failure is told."""
        attempts = {
            message.message_id: Attempt(
                message_id=message.message_id,
                reason=message.reason,
                next_attempt_at=next_attempt(
                    message.attempts,
                    tx.now,
                    permanent=message.permanent,
                    chance=message.message_id.int % 997 / 996,
                    after_seconds=message.after_seconds,
                ),
            )
            for message in messages
        }
        of = {message.message_id: message for message in messages}
        marked = await store.mark_attempts(tx, attempts.values())
        for message_id, subject in marked.items():
            attempt = attempts[message_id]
            if attempt.next_attempt_at is None:
                facts = msgspec.structs.asdict(subject)
                told = MessageFailed(**facts, reason=attempt.reason)
                tx.tell(told, about=of[message_id])
            else:
                resume = ResumeMessage(message_id=message_id)
                tx.due(f"message:{message_id}", attempt.next_attempt_at, resume)
        return [DONE] * len(messages)

    @handles_many(ResumeMessage)
    async def resume_message(self, tx: Tx, messages: list[ResumeMessage]) -> list[Done]:
        """The time of the next try has come."""
        await self._resume(tx, [message.message_id for message in messages])
        return [DONE] * len(messages)

    async def _resume(self, tx: Tx, ids: Sequence[UUID]) -> None:
        for one in await store.wake(tx, ids):
            self.outgoing.add(Line(one.channel, one.security), (one.message_id,))

    # --- behind the transactions ---------------------------------------------

    async def waiting(self, line: Line, limit: int) -> list[UUID]:
        """What waits in this shard's slots for a line."""
        async with self.read() as db:
            return await store.queued_of_shard(
                db, self.shard, line.channel, security=line.security, limit=limit
            )

    async def deliver(self, carrier: Any, ids: Sequence[UUID]) -> None:
        """Hand a batch over, and mark each message's end soon after it."""
        take = TakeQueued(message_id=ids[0], message_ids=tuple(ids))
        queued: list[Queued] = await self.send(take)
        known = {one.message_id: one for one in queued}
        items: list[Letter | TextMessage] = []
        unsent: Ended = {}
        now = datetime.now(UTC)
        for one in queued:
            made = self._made(one, now)
            if isinstance(made, Failure):
                unsent[one.message_id] = made
            else:
                items.append(made)

        async def note(ended: Ended) -> None:
            await self._mark([(known[at], end) for at, end in ended.items()])

        if unsent:
            await note(unsent)
        if items:
            await carrier.send(items, note)

    async def _mark(self, ended: Sequence[tuple[Queued, Outcome]]) -> None:
        marks = [self._mark_one(one, outcome) for one, outcome in ended]
        kept = self.keep_all(ended[0][0].message_id)
        # The messages are out: to try them again at once would send them twice.
        for error in await asyncio.gather(kept, *marks, return_exceptions=True):
            if isinstance(error, BaseException):
                self.log.error("message-not-marked", error=repr(error))

    async def _mark_one(self, one: Queued, outcome: Outcome) -> None:
        """Write a message's end, in the trace that it was queued in."""
        CURRENT.set(Context(traceparent=checked_trace(one.data.get(TRACE))))
        await self.send(_mark(one, outcome))

    def _made(self, one: Queued, now: datetime) -> Letter | TextMessage | Failure:
        """What is handed over; or why nothing ever can be."""
        if one.suppressed and one.channel == "email":
            return Failure("recipient-suppressed", permanent=True)
        try:
            return self._letter(one, now) if one.channel == "email" else self._sms(one)
        except UnusableTemplate as error:
            return Failure(str(error), permanent=True)
        except UnusableAddress:
            return Failure("address-unusable", permanent=True)
        except UnusableNumber:
            return Failure("number-unusable", permanent=True)

    def _letter(self, one: Queued, now: datetime) -> Letter:
        data = {"shop_url": self.shop_url, **one.data}
        mail = self.templates.render(one.template, one.locale, data)
        return compose(
            message_id=one.message_id,
            sender=self.settings.mail_from,
            recipient=one.recipient,
            subject=mail.subject,
            text=mail.text,
            html=mail.html,
            at=now,
            return_path=self.return_paths.of(one.message_id),
        )

    def _sms(self, one: Queued) -> TextMessage:
        data = {"shop_url": self.shop_url, **one.data}
        line = self.templates.render_line(one.template, one.locale, data)
        return text_message(one.message_id, one.recipient, line)


def _row(
    message: SendEmail | SendSms, channel: str, traceparent: str | None
) -> NewMessage:
    data = {**message.data, TRACE: traceparent} if traceparent else message.data
    return NewMessage(
        message_id=message.message_id,
        slot=slot_of(message.message_id),
        channel=channel,
        template=message.template,
        recipient=message.to,
        user_id=message.user_id,
        locale=message.locale,
        security=message.priority == "security",
        data=msgspec.json.encode(data).decode(),
    )


def _mark(one: Queued, outcome: Outcome) -> MarkSent | MarkFailed:
    if outcome is None:
        return MarkSent(message_id=one.message_id)
    return MarkFailed(
        message_id=one.message_id,
        attempts=one.attempts,
        reason=outcome.reason,
        permanent=outcome.permanent,
        after_seconds=outcome.after_seconds,
    )
