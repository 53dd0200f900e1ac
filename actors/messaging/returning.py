"""What comes back after a message was sent, and the addresses that get no more."""

import msgspec

from actors.kit.domain import handles
from actors.messaging.bounces import read_bounce, read_sms_status
from actors.messaging.sending import DONE, Sending
from bus.kit.refusals import not_found
from bus.kit.values import Done, Page
from bus.messaging import (
    ListSuppressions,
    MessageFailed,
    MessageSent,
    NoteReport,
    ReadBounce,
    ReadSmsStatus,
    RemoveSuppression,
    Report,
    Suppression,
)
from persistence import messaging as store
from persistence.kit.database import Db
from persistence.kit.transaction import Tx


class Returning(Sending):
    """Proves each report before it counts, and counts it once."""

    @handles(ReadBounce)
    async def read_bounce(
        self,
        db: Db,  # noqa: ARG002 - its name makes this a query
        query: ReadBounce,
    ) -> Report | None:
        """What a bounce says, once its return path is known to be ours."""
        return read_bounce(query.content, query.content_type, self.return_paths)

    @handles(ReadSmsStatus)
    async def read_sms_status(
        self,
        db: Db,  # noqa: ARG002 - its name makes this a query
        query: ReadSmsStatus,
    ) -> Report | None:
        """What Twilio says, once it is known to be Twilio."""
        url = self.settings.public_url.rstrip("/") + query.path
        secret = self.settings.twilio_auth_token
        return read_sms_status(url, query.body, query.signature, secret)

    @handles(NoteReport)
    async def note_report(self, tx: Tx, m: NoteReport) -> Done:
        """A message has arrived, or came back: the first such report counts."""
        if m.end == "delivered":
            await self._delivered(tx, m)
            return DONE
        before = ("QUEUED", "SENT", "DELIVERED")
        came = await store.mark_returned(tx, m.message_id, "BOUNCED", m.reason, before)
        if came is None:
            return DONE
        facts = msgspec.structs.asdict(came)
        tx.tell(MessageFailed(**facts, reason=m.reason), about=m)
        if came.channel == "email":
            hard = m.end == "hard"
            await store.count_bounce(tx, m.message_id, m.reason, hard=hard)
        return DONE

    async def _delivered(self, tx: Tx, m: NoteReport) -> None:
        """One whose mark has not come yet was sent, too."""
        mark = store.mark_returned
        sent = await mark(tx, m.message_id, "DELIVERED", None, ("QUEUED",))
        if sent is not None:
            tx.tell(MessageSent(**msgspec.structs.asdict(sent)), about=m)
        else:
            await mark(tx, m.message_id, "DELIVERED", None, ("SENT",))

    @handles(ListSuppressions)
    async def list_suppressions(
        self, db: Db, query: ListSuppressions
    ) -> Page[Suppression]:
        """The addresses that mail bounced from."""
        return await store.list_suppressions(db, query.cursor, query.limit)

    @handles(RemoveSuppression)
    async def remove_suppression(self, tx: Tx, command: RemoveSuppression) -> Done:
        """The address gets mail again, and its count begins anew."""
        owners = await store.remove_suppression(tx, command.address)
        if not owners:
            raise not_found("suppressed address")
        # An address says who somebody is: the entry names its person by id, or nobody.
        tx.audit(command, owners[0] or "suppression", {"suppressed": True})
        return DONE
