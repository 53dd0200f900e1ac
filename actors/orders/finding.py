"""Finding an order again: its number and its e-mail address get a link by mail.

Whoever asks is answered before anything is looked up, so that neither the answer nor
its time tells whether there is such an order.
"""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from msgspec.structs import replace

from actors.kit.domain import Domain, handles, handles_many
from actors.kit.process import Run
from bus.kit.addressing import derived_id, new_id
from bus.kit.refusals import Refusal, RefusalKind, not_found
from bus.kit.values import Done
from bus.messaging import SendEmail
from bus.orders import LookUpOrder
from bus.orders.steps import (
    ForgetLinks,
    LinkSent,
    MakeLink,
    NoteLookup,
    ReadOrder,
    SendOrderLink,
)
from bus.users import GetContact
from persistence import orders as store
from persistence.kit.transaction import Tx
from persistence.orders import Link, Order

TOKEN_BYTES = 32
LINKS_MAX = 5
LINKS_PER_HOUR_MAX = 3
LINK_DAYS_MAX = 30


class Reader(NamedTuple):
    """Where an order's mail goes, and in what language; a guest has told none."""

    email: str
    locale: str = "en"


# --- decisions ---------------------------------------------------------------


def with_link(order: Order, token_hash: bytes, now: datetime) -> Order | None:
    """The order with one more mailed link; None when it had enough of late.

    The oldest of more than `LINKS_MAX` stops working; the token that came with the
    order never does.
    """
    hour = now - timedelta(hours=1)
    if sum(link.at > hour for link in order.links) >= LINKS_PER_HOUR_MAX:
        return None
    links = (*order.links, Link(token_hash=token_hash, at=now))[-LINKS_MAX:]
    return replace(order, links=links)


def link_url(base: str, order_id: UUID, token: str) -> str:
    """Where a mailed link leads.

    The token stands after the `#`, so that no server or proxy on the way logs it.
    """
    return f"{base}/orders/{order_id}#order_token={token}"


# --- handlers ----------------------------------------------------------------


class Finding(Domain):
    """How a buyer comes back to an order."""

    @handles(LookUpOrder)
    async def look_up_order(self, run: Run, m: LookUpOrder) -> Done:
        """Answer at once and alike; then look, and mail what belongs together.

        The address that was asked with is kept nowhere: a crash in here forgets the
        request, which is asked again like a mail that was lost.
        """
        done = await run.settle(NoteLookup(number=m.number))
        async with self.read() as db:
            order = await store.find_by_number(db, m.number)
        reader = await self._reader(run, order) if order is not None else None
        if order is not None and reader is not None and reader.email == m.email:
            link = SendOrderLink(order_id=order.id)
            await run.ask(link, id=derived_id(run.id, "order-link", order.id))
        return done

    @handles(SendOrderLink)
    async def send_order_link(self, run: Run, m: SendOrderLink) -> Done:
        """Make a token, keep its hash, mail it; run again, it is another token."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        token_hash = hashlib.sha256(token.encode()).digest()
        made = await run.step(
            MakeLink(order_id=m.order_id, token_hash=token_hash), opens=m
        )
        if made:
            order: Order = await run.step(ReadOrder(order_id=m.order_id))
            if reader := await self._reader(run, order):
                await run.ask(self._mail(order, reader, token))
        return await run.settle(LinkSent(order_id=m.order_id), last=True)

    async def _reader(self, run: Run, order: Order) -> Reader | None:
        """Who reads the mail: a guest, or whoever has the buyer's account."""
        if order.user_id is None:
            return Reader(order.email) if order.email else None
        try:
            contact = await run.ask(GetContact(user_id=order.user_id))
        except Refusal as refusal:
            if refusal.data.kind is RefusalKind.NOT_FOUND:
                return None  # erased meanwhile: there is nobody to write to
            raise
        return Reader(contact.email, contact.locale)

    def _mail(self, order: Order, reader: Reader, token: str) -> SendEmail:
        settings = self.settings
        base = settings.public_url.rstrip("/")
        base = base or f"http://{settings.http_host}:{settings.http_port}"
        return SendEmail(
            message_id=new_id(order.id),
            to=reader.email,
            template="order_lookup",
            data={
                "name": order.shipping.name,
                "number": order.number,
                "link": link_url(base, order.id, token),
            },
            user_id=order.user_id,
            locale=reader.locale,
            priority="security",
        )

    # --- steps ---------------------------------------------------------------

    @handles_many(NoteLookup)
    async def note_lookup(
        self,
        tx: Tx,  # noqa: ARG002 - its name makes this a step
        messages: Sequence[NoteLookup],
    ) -> list[Done]:
        """Nothing: the same for every number, there or not."""
        return [Done() for _ in messages]

    @handles(MakeLink)
    async def make_link(self, tx: Tx, m: MakeLink) -> bool:
        """Let a token open the order, unless enough were mailed in the last hour."""
        order = (await store.load_orders(tx, [m.order_id]))[m.order_id]
        if order is None:
            raise not_found("order")
        after = with_link(order, m.token_hash, tx.now)
        if after is None:
            return False
        await store.save_links(tx, after)
        self._forget_later(tx, after)
        return True

    @handles(ForgetLinks)
    async def forget_links(self, tx: Tx, m: ForgetLinks) -> Done:
        """Links that are too old open nothing any more."""
        order = (await store.load_orders(tx, [m.order_id]))[m.order_id]
        if order is not None:
            oldest = tx.now - timedelta(days=LINK_DAYS_MAX)
            links = tuple(link for link in order.links if link.at > oldest)
            after = replace(order, links=links)
            await store.save_links(tx, after)
            self._forget_later(tx, after)
        return Done()

    @handles(LinkSent)
    async def link_sent(self, tx: Tx, m: LinkSent) -> Done:  # noqa: ARG002
        """Nothing is left to be done for a link."""
        return Done()

    def _forget_later(self, tx: Tx, order: Order) -> None:
        if order.links:
            at = order.links[0].at + timedelta(days=LINK_DAYS_MAX)
            tx.due(f"links:{order.id}", at, ForgetLinks(order_id=order.id))
