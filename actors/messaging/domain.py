"""The messaging domain: what it opens and closes, its log and its mailbox."""

from uuid import UUID

import httpx
import msgspec

from actors.kit.domain import handles
from actors.messaging.authoring import Authoring
from actors.messaging.erasing import Erasing
from actors.messaging.mailbox import read_caught
from actors.messaging.outgoing import Line, Outgoing
from actors.messaging.return_paths import ReturnPaths
from actors.messaging.returning import Returning
from actors.messaging.sink import Caught, Sink
from actors.messaging.sms import REPLY_SECONDS_MAX, SmsLog, Twilio
from actors.messaging.smtp import SmtpConnection
from actors.messaging.templates import Templates, shop_templates
from bus.kit.cursors import id_of
from bus.kit.refusals import not_found
from bus.kit.values import Page
from bus.messaging import (
    MAILBOX_LIST_MAX,
    CaughtMessage,
    GetMessage,
    KeepCaught,
    ListMailbox,
    ListMessages,
    MessageView,
)
from persistence import messaging as store
from persistence.kit.database import Db
from persistence.kit.transaction import Tx
from persistence.messaging.shown import BOOKS

KEEP_MAX = 512
TRIM_EVERY = 1_000


class Messaging(Authoring, Returning, Erasing):
    """Mails and SMS: made from templates, sent, and known by what became of them."""

    name = "messaging"
    shown = BOOKS

    @classmethod
    def warm(cls) -> None:
        """Compile the templates."""
        shop_templates()

    async def start(self) -> None:
        """Load the templates, start the embedded server where it is needed."""
        self.warm()  # now, not with the first mail
        self.templates = Templates(self.log)
        self.sink = Sink()
        self.smtp_url = self.settings.smtp_url
        if not self.smtp_url:
            await self.sink.start(self.settings.smtp_port)
            self.smtp_url = self.sink.url
        self.http = None
        if self.settings.twilio_account_sid:
            self.http = httpx.AsyncClient(timeout=REPLY_SECONDS_MAX)
        secrets = self.settings.encryption_keys.split(",")
        self.return_paths = ReturnPaths(self.settings.bounce_address, secrets)
        self.shop_url = self.settings.public_url.rstrip("/")
        if not self.shop_url:
            self.shop_url = f"http://127.0.0.1:{self.settings.http_port}"
        self.kept = 0
        self.outgoing = Outgoing(self.deliver, self.waiting, self.log)
        self.outgoing.start(self._carrier)

    async def stop(self) -> None:
        """Stop sending; what is queued stays queued."""
        await self.outgoing.stop()
        await self.sink.stop()
        if self.http is not None:
            await self.http.aclose()

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
            user_id=query.user_id,
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

    def _carrier(self, line: Line) -> SmtpConnection | Twilio | SmsLog:
        if line.channel == "email":
            own_name = self.settings.mail_from.rpartition("@")[2]
            return SmtpConnection(self.smtp_url, own_name=own_name)
        if self.http is not None:
            return Twilio(self.http, self.settings)
        return SmsLog(self.sink)

    async def keep_all(self, message_id: UUID) -> None:
        """Write down what the embedded default has caught, if it did."""
        while self.sink.waiting(1):
            kept: list[Caught] = await self.send(KeepCaught(message_id=message_id))
            self.sink.drop(kept)
