"""How something is told: recorded once, then carried by mail and SMS."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import msgspec

from actors.kit.domain import Domain
from actors.kit.process import Run
from actors.notifications.tellings import Telling, receipt_of
from bus.kit.addressing import derived_id
from bus.kit.refusals import Refusal, RefusalKind
from bus.messaging import SendEmail, SendSms
from bus.notifications import (
    CarryNotification,
    NotificationType,
    RecordNotification,
    SendNotification,
    Told,
)
from bus.orders import GetOrder, GetOrderContact, OrderContact, Viewer
from bus.users import Contact, FindStaff, GetContact, Role

STAFF = Viewer(role=Role.ADMIN)


class Carrying(Domain):
    """Tells one person, an order's buyer, or several people by their owners.

    Every id follows from the id of what is told of, so whatever is run again, from any
    line, tells and mails nothing twice.
    """

    async def _tell(
        self,
        run: Run,
        identity: UUID,
        user_id: UUID,
        telling: Telling,
        opens: CarryNotification | None = None,
    ) -> Told:
        told = await run.step(
            RecordNotification(
                notification_id=identity,
                user_id=user_id,
                type=telling.type,
                title=telling.title,
                body=telling.body,
                data=telling.data,
            ),
            opens=opens,
        )
        await self._carry(run, told, user_id, telling)
        return told

    async def _tell_buyer(
        self, run: Run, user_id: UUID | None, order_id: UUID, telling: Telling
    ) -> None:
        """Tell a buyer of what this run is about; a guest gets the mail alone."""
        if user_id is not None:
            identity = derived_id(run.id, "notification", user_id)
            await self._tell(run, identity, user_id, telling)
            return
        asked = run.ask(GetOrderContact(order_id=order_id))
        # Both go to the order's owner: asked at once, they go in one envelope.
        contact, details = await asyncio.gather(asked, self._details(run, telling))
        message_id = derived_id(run.id, "email", order_id)
        await self._mail_guest(run, message_id, contact, telling, details)

    async def _tell_payer(
        self, run: Run, user_id: UUID | None, order_id: UUID, telling: Telling
    ) -> None:
        """The same of money, which may have been paid over NATS without an order."""
        try:
            await self._tell_buyer(run, user_id, order_id, telling)
        except Refusal as refusal:
            if user_id is None and refusal.data.kind is RefusalKind.NOT_FOUND:
                return  # nobody is known
            raise

    async def _mail_guest(
        self,
        run: Run,
        message_id: UUID,
        contact: OrderContact,
        telling: Telling,
        details: Mapping[str, Any],
    ) -> None:
        if contact.email is None:
            return
        facts = {"title": telling.title, "body": telling.body, **telling.data}
        facts |= details
        await run.ask(
            SendEmail(
                message_id=message_id,
                to=contact.email,
                template=telling.template,
                data={**facts, "number": contact.number, "name": contact.name},
                locale=contact.locale,
            )
        )

    async def _tell_all(
        self, run: Run, source: UUID, people: Iterable[UUID], telling: Telling
    ) -> None:
        """Tell people, each by the owner of that person's key, once by `source`."""
        for user_id in sorted(people):
            await run.ask(
                SendNotification(
                    notification_id=derived_id(source, "notification", user_id),
                    user_id=user_id,
                    **msgspec.structs.asdict(telling),
                )
            )

    async def _tell_admins(self, run: Run, telling: Telling) -> None:
        staff = await run.ask(FindStaff(role=Role.ADMIN))
        await self._tell_all(run, run.id, set(staff.user_ids), telling)

    async def _details(self, run: Run, telling: Telling) -> dict[str, Any]:
        """What the mail says besides: an address, so no notification keeps it."""
        if telling.template != "order_confirmed":
            return {}
        order_id = UUID(telling.data["order_id"])
        try:
            order = await run.ask(GetOrder(order_id=order_id, viewer=STAFF))
        except Refusal as refusal:
            if refusal.data.kind is RefusalKind.NOT_FOUND:
                return {}  # the mail says less
            raise
        return {"order": receipt_of(order)}

    async def _carry(
        self, run: Run, told: Told, user_id: UUID, telling: Telling
    ) -> None:
        """Queue the mail and the SMS; their ids follow from the notification's."""
        if not told.email and not told.sms:
            return
        try:
            contact: Contact = await run.ask(GetContact(user_id=user_id))
        except Refusal as refusal:
            if refusal.data.kind is RefusalKind.NOT_FOUND:
                return  # erased meanwhile: there is nobody to write to
            raise
        content: dict[str, Any] = {
            "template": telling.template,
            "data": {
                "title": telling.title,
                "body": telling.body,
                **telling.data,
                **await self._details(run, telling),
                "name": contact.first_name,
            },
            "user_id": user_id,
            "locale": contact.locale,
        }
        unwanted = telling.type is NotificationType.PROMOTION
        if told.email and (contact.email_verified or not unwanted):
            identity = derived_id(told.id, "email", user_id)
            await run.ask(SendEmail(message_id=identity, to=contact.email, **content))
        if told.sms and contact.phone:
            identity = derived_id(told.id, "sms", user_id)
            await run.ask(SendSms(message_id=identity, to=contact.phone, **content))
