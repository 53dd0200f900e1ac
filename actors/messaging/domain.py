"""The messaging domain: what is asked is queued in a step, and sent behind it."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from actors.kit.domain import Domain, handles, handles_many
from actors.messaging.decisions import next_attempt
from actors.messaging.letter import (
    Letter,
    UnusableAddress,
    compose,
    envelope_address,
)
from actors.messaging.mailbox import read_caught
from actors.messaging.outgoing import Outgoing
from actors.messaging.sink import Caught, Sink
from actors.messaging.smtp import Failure, Outcome, SmtpConnection
from actors.messaging.templates import UnusableTemplate, shop_templates
from bus.kit.addressing import slot_of
from bus.kit.context import CURRENT, Context, checked_trace
from bus.kit.cursors import id_of
from bus.kit.refusals import Refusal, not_found
from bus.kit.values import Done, Page
from bus.messaging import (
    MAILBOX_LIST_MAX,
    CaughtMessage,
    GetMessage,
    KeepCaught,
    ListMailbox,
    ListMessages,
    MarkFailed,
    MarkSent,
    MessageFailed,
    MessageSent,
    MessageView,
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
from persistence.kit.transaction import Tx
from persistence.messaging import Attempt, NewMessage, Queued

KEEP_MAX = 512
TRIM_EVERY = 1_000

DONE = Done()
TRACE = "~traceparent"
"""Where the data of a queued message keep the trace that it belongs to."""


class Messaging(Domain):
    """Mails and SMS, each handed over at least once and marked once.

    A crash between the server's 250 and the mark sends a mail again, with the same
    `Message-ID`; SMTP has no way to ask whether the first one was taken.
    """

    name = "messaging"

    async def start(self) -> None:
        """Load the templates, start the embedded server where it is needed."""
        self.templates = shop_templates()
        self.sink = Sink()
        url = self.settings.smtp_url
        if not url:
            await self.sink.start(self.settings.smtp_port)
            url = self.sink.url
        self.shop_url = self.settings.public_url.rstrip("/")
        if not self.shop_url:
            self.shop_url = f"http://127.0.0.1:{self.settings.http_port}"
        self.kept = 0
        self.outgoing = Outgoing(self._deliver, self._waiting, self.log)
        self.outgoing.start(lambda: SmtpConnection(url))

    async def stop(self) -> None:
        """Stop sending; what is queued stays queued."""
        await self.outgoing.stop()
        await self.sink.stop()

    # --- commands ------------------------------------------------------------

    @handles_many(SendEmail)
    async def send_email(
        self, tx: Tx, messages: list[SendEmail]
    ) -> list[Done | Refusal]:
        """Queue mails; they are handed to SMTP behind this transaction."""
        refused = {
            id(message): refusal
            for message in messages
            if message.checked and (refusal := self._wrong(message))
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
        new = await store.queue_messages(
            tx, (_row(m, channel, tx.meta(m).traceparent) for m in messages)
        )
        for security in (True, False):
            self.outgoing.add(
                security,
                (
                    message.message_id
                    for message in messages
                    if message.message_id in new
                    and (message.priority == "security") is security
                ),
            )

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
        """What of these is committed: a step runs after the commits before it."""
        return await store.take_queued(tx, self.shard, command.message_ids)

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
                    message.attempts, tx.now, permanent=message.permanent
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
        for message_id, security in (await store.wake(tx, ids)).items():
            self.outgoing.add(security, (message_id,))

    @handles(KeepCaught)
    async def keep_caught(self, tx: Tx, _: KeepCaught) -> list[Caught]:
        """Write down what the embedded default caught; returns it."""
        caught = self.sink.waiting(KEEP_MAX)
        if caught:
            await store.keep_caught(tx, [msgspec.structs.astuple(it) for it in caught])
            before, self.kept = self.kept, self.kept + len(caught)
            if before // TRIM_EVERY != self.kept // TRIM_EVERY:
                await store.trim_mailbox(tx)
        return caught

    # --- queries -------------------------------------------------------------

    @handles(GetMessage)
    async def get_message(self, db: Db, query: GetMessage) -> MessageView:
        """One message of the log."""
        view = await store.find_message(db, query.message_id)
        if view is None:
            raise not_found("message")
        return view

    @handles(ListMessages)
    async def list_messages(self, db: Db, query: ListMessages) -> Page[MessageView]:
        """The delivery log."""
        return await store.list_messages(
            db,
            recipient=query.recipient,
            status=query.status,
            before=id_of(query.cursor),
            limit=query.limit,
        )

    @handles(ListMailbox)
    async def list_mailbox(self, db: Db, query: ListMailbox) -> Page[CaughtMessage]:
        """What all shards' embedded defaults caught."""
        limit = min(query.limit, MAILBOX_LIST_MAX)
        rows = await store.list_mailbox(db, to=query.to, limit=limit)
        return Page(tuple(map(read_caught, rows)))

    # --- behind the transactions ---------------------------------------------

    async def _waiting(self, limit: int) -> list[tuple[UUID, bool]]:
        async with self.read() as db:
            return await store.queued_of_shard(db, self.shard, limit)

    async def _deliver(self, connection: SmtpConnection, ids: Sequence[UUID]) -> None:
        """Hand a batch over and mark its ends, all in the shard's next transaction."""
        take = TakeQueued(message_id=ids[0], message_ids=tuple(ids))
        queued: list[Queued] = await self.send(take)
        outcomes = self._catch_sms(queued)
        letters = self._compose(queued, outcomes)
        sent = await connection.send(letters) if letters else []
        outcomes |= {
            letter.message_id: end for letter, end in zip(letters, sent, strict=True)
        }
        marks = [self._mark(one, outcomes[one.message_id]) for one in queued]
        ends = await asyncio.gather(self._keep(ids[0]), *marks, return_exceptions=True)
        # The mails are out: to try them again at once would send them twice.
        for error in ends:
            if isinstance(error, BaseException):
                self.log.error("message-not-marked", error=repr(error))

    async def _mark(self, one: Queued, outcome: Outcome) -> None:
        """Write a message's end, in the trace that it was queued in."""
        CURRENT.set(Context(traceparent=checked_trace(one.data.get(TRACE))))
        await self.send(_mark(one, outcome))

    async def _keep(self, message_id: UUID) -> None:
        while self.sink.waiting(1):
            kept: list[Caught] = await self.send(KeepCaught(message_id=message_id))
            self.sink.drop(kept)

    def _catch_sms(self, queued: Sequence[Queued]) -> dict[UUID, Outcome]:
        outcomes: dict[UUID, Outcome] = {}
        for one in queued:
            if one.channel == "sms":
                outcomes[one.message_id] = self._catch_one(one)
        return outcomes

    def _catch_one(self, one: Queued) -> Outcome:
        try:
            data = {"shop_url": self.shop_url, **one.data}
            line = self.templates.render_line(one.template, one.locale, data)
        except UnusableTemplate as error:
            return Failure(str(error), permanent=True)
        if self.sink.catch("sms", one.recipient, line.encode()):
            return None
        return Failure("mailbox-full", permanent=False)

    def _compose(
        self, queued: Sequence[Queued], outcomes: dict[UUID, Outcome]
    ) -> list[Letter]:
        """The mails as letters; what cannot be one has its outcome at once."""
        letters = []
        now = datetime.now(UTC)
        for one in queued:
            if one.channel != "email":
                continue
            try:
                letters.append(self._letter(one, now))
            except UnusableTemplate as error:
                outcomes[one.message_id] = Failure(str(error), permanent=True)
            except UnusableAddress:
                outcomes[one.message_id] = Failure("address-unusable", permanent=True)
        return letters

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
        )


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
    )
