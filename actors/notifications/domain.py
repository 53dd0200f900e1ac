"""The notifications domain: facts come in, people are told once."""

from collections.abc import Mapping
from uuid import UUID

import msgspec

from actors.kit.domain import handles, handles_many
from actors.kit.process import Run
from actors.notifications.alerts import Alerts
from actors.notifications.erasing import Erasing
from actors.notifications.tellings import (
    Telling,
    chosen,
    of_late_payment,
    of_new_order,
    of_new_sale,
    of_order,
    of_payment,
    with_choices,
)
from bus.kit.addressing import derived_id
from bus.kit.cursors import id_of
from bus.kit.refusals import invalid, not_found, stale
from bus.kit.values import Done, Page
from bus.notifications import (
    CarryNotification,
    ConfirmRead,
    GetNotificationsAfter,
    GetPreferences,
    ListNotifications,
    MarkAllRead,
    MarkedRead,
    MarkRead,
    MarkSomeRead,
    NotificationCreated,
    NotificationRead,
    NotificationType,
    NotificationView,
    PreferencesView,
    ReadMark,
    RecordNotification,
    SendNotification,
    SetPreferences,
    TellOrderCreated,
    Told,
    no_such_notification,
)
from bus.orders import (
    GetOrder,
    GetOrderContact,
    OrderCancelled,
    OrderConfirmed,
    OrderDelivered,
    OrderRefunded,
    OrderShipped,
    OrderView,
    Viewer,
)
from bus.orders.events import OrderEvent
from bus.payments import (
    LatePaymentReturned,
    PaymentEvent,
    PaymentFailed,
    PaymentSucceeded,
)
from bus.users import Role
from persistence import notifications as store
from persistence.kit.database import Db
from persistence.kit.erased import erased_here
from persistence.kit.transaction import Tx
from persistence.notifications import BOOKS, Carried, Notification, Preferences

STAFF = Viewer(role=Role.ADMIN)
READ_AT_ONCE_MAX = 500
SWEEP_EVERY = 1_000


class Notifications(Alerts, Erasing):
    """Tells people what has happened, once by event, by the channels they chose."""

    name = "notifications"
    shown = BOOKS

    async def start(self) -> None:
        """Nothing is open yet; only the count of what was recorded begins."""
        self.recorded = 0

    # --- facts of other domains ----------------------------------------------

    @handles(OrderConfirmed)
    @handles(OrderShipped)
    @handles(OrderDelivered)
    @handles(OrderCancelled)
    @handles(OrderRefunded)
    async def order_changed(self, run: Run, event: OrderEvent) -> None:
        """Tell the buyer of an order; a guest gets the mail alone."""
        if telling := of_order(event):
            await self._tell_buyer(run, event.user_id, event.order_id, telling)

    @handles(PaymentSucceeded)
    @handles(PaymentFailed)
    async def payment_changed(self, run: Run, event: PaymentEvent) -> None:
        """Tell the payer; a guest's receipt is the confirmation mail."""
        if event.user_id is not None or isinstance(event, PaymentFailed):
            await self._tell_payer(
                run, event.user_id, event.order_id, of_payment(event)
            )

    @handles(LatePaymentReturned)
    async def late_payment_returned(self, run: Run, event: LatePaymentReturned) -> None:
        """Tell whoever paid late that the money is on its way back."""
        await self._tell_payer(
            run, event.user_id, event.order_id, of_late_payment(event)
        )

    # --- commands ------------------------------------------------------------

    @handles(SendNotification)
    async def send_notification(self, run: Run, command: SendNotification) -> Told:
        """Record it, then queue the mail and the SMS that the person wants."""
        telling = Telling(
            type=command.type,
            template=command.template,
            title=command.title,
            body=command.body,
            data=command.data,
        )
        ids = command.notification_id, command.user_id
        carry = CarryNotification(user_id=ids[1], notification_id=ids[0])
        return await self._tell(run, *ids, telling, carry if run.keyed else None)

    @handles(CarryNotification)
    async def carry_notification(self, run: Run, message: CarryNotification) -> Told:
        """Go on where a crash ended the process that a caller's key began."""
        async with self.read() as db:
            found = await store.find_written(db, message.notification_id)
        if found is None:  # its person was erased
            return _told_nobody(message.notification_id)
        told = Told(id=found.id, email=found.email, sms=found.sms)
        telling = Telling(
            type=found.type,
            template="notification",
            title=found.title,
            body=found.body,
            data=found.data,
        )
        await self._carry(run, told, message.user_id, telling)
        return told

    @handles(MarkRead)
    async def mark_read(self, tx: Tx, command: MarkRead) -> NotificationView:
        """Unread becomes read, once."""
        ids = command.user_id, command.notification_id
        if await store.mark_read(tx, *ids):
            read = NotificationRead(
                user_id=command.user_id, notification_id=command.notification_id
            )
            tx.tell(read, about=command)
        view = await store.find_notification(tx, *ids)
        if view is None:
            raise no_such_notification()
        return view

    @handles(ConfirmRead)
    async def confirm_read(self, tx: Tx, command: ConfirmRead) -> ReadMark:
        """The same, answered in ids only."""
        read = MarkRead(
            user_id=command.user_id, notification_id=command.notification_id
        )
        view = await self.mark_read(tx, read)
        return ReadMark(id=view.id, read_at=view.read_at or tx.now)

    @handles(TellOrderCreated)
    async def tell_order_created(self, run: Run, command: TellOrderCreated) -> Done:
        """Tell the buyer and the sellers; every id follows from the order's."""
        asked = GetOrder(order_id=command.order_id, viewer=STAFF)
        order: OrderView = await run.ask(asked)
        telling = of_new_order(order.number, order)
        source = derived_id(order.id, "order-created")
        if order.user_id is not None:
            identity = derived_id(source, "notification", order.user_id)
            await self._tell(run, identity, order.user_id, telling)
        else:
            contact = await run.ask(GetOrderContact(order_id=order.id))
            message_id = derived_id(source, "email", order.id)
            await self._mail_guest(run, message_id, contact, telling)
        for seller_id in sorted({it.seller_id for it in order.items if it.seller_id}):
            lines = [line for line in order.items if line.seller_id == seller_id]
            sale = of_new_sale(order.number, order, lines)
            await self._tell_all(run, derived_id(source, "sale"), [seller_id], sale)
        return Done()

    @handles(MarkAllRead)
    async def mark_all_read(self, run: Run, command: MarkAllRead) -> MarkedRead:
        """In steps of a bounded size, until nothing unread is left."""
        count = 0
        while True:
            some = await run.step(MarkSomeRead(user_id=command.user_id))
            count += some.count
            if some.count < READ_AT_ONCE_MAX:
                return MarkedRead(count)

    @handles(SetPreferences)
    async def set_preferences(self, tx: Tx, command: SetPreferences) -> PreferencesView:
        """Compare-and-set on the version that was seen."""
        if not command.types:
            raise invalid("no-choice", "Name at least one type.")
        if await erased_here(tx, [command.user_id]):
            raise not_found("user")
        before = (await self._preferences(tx, [command.user_id]))[command.user_id]
        if command.version not in (None, before.version):
            raise stale()
        after = with_choices(before, command.types, tx.now)
        if not await store.save_preferences(tx, command.user_id, after):
            raise stale()
        tx.keep("preferences", command.user_id, after)
        return _preferences_view(after)

    # --- steps of its own ----------------------------------------------------

    @handles_many(RecordNotification)
    async def record_notification(
        self, tx: Tx, messages: list[RecordNotification]
    ) -> list[Told]:
        """Insert many, each once; one that was there answers as it did then.

        Nothing is written of people who are gone, whatever is told so late.
        """
        gone = await erased_here(tx, [m.user_id for m in messages])
        preferences = await self._preferences(tx, [m.user_id for m in messages])
        rows: dict[UUID, Notification] = {}
        about: dict[UUID, RecordNotification] = {}
        for message in messages:
            if message.user_id in gone:
                continue
            choice = chosen(preferences[message.user_id], message.type)
            fields = {
                **msgspec.structs.asdict(message),
                **msgspec.structs.asdict(choice),
            }
            identity = fields.pop("notification_id")
            rows.setdefault(identity, Notification(id=identity, **fields))
            about.setdefault(identity, message)
        new = await store.add_notifications(tx, rows.values()) if rows else set()
        for identity in sorted(new):
            if rows[identity].in_app:
                tx.tell(_created(rows[identity]), about=about[identity])
        await self._sweep(tx, len(new))
        before = await store.carried(tx, rows.keys() - new) if rows.keys() - new else {}
        return [
            _told(rows[m.notification_id], before)
            if m.user_id not in gone
            else _told_nobody(m.notification_id)
            for m in messages
        ]

    async def _sweep(self, tx: Tx, count: int) -> None:
        """Drop what is too old, now and then."""
        before, self.recorded = self.recorded, self.recorded + count
        if before // SWEEP_EVERY != self.recorded // SWEEP_EVERY:
            await store.sweep(tx)

    @handles(MarkSomeRead)
    async def mark_some_read(self, tx: Tx, command: MarkSomeRead) -> MarkedRead:
        """One step's worth of read-all."""
        ids = await store.mark_some_read(tx, command.user_id, READ_AT_ONCE_MAX)
        for identity in ids:
            tx.tell(NotificationRead(user_id=command.user_id, notification_id=identity))
        return MarkedRead(len(ids))

    # --- queries -------------------------------------------------------------

    @handles(ListNotifications)
    async def list_notifications(
        self, db: Db, query: ListNotifications
    ) -> Page[NotificationView]:
        """A person's notifications."""
        return await store.list_notifications(
            db,
            query.user_id,
            unread=query.unread,
            before=id_of(query.cursor),
            limit=query.limit,
            also_mailed=query.also_mailed,
        )

    @handles(GetNotificationsAfter)
    async def get_notifications_after(
        self, db: Db, query: GetNotificationsAfter
    ) -> Page[NotificationView]:
        """What is new to a person who follows."""
        return Page(await store.read_after(db, query.user_id, query.after, query.limit))

    @handles(GetPreferences)
    async def get_preferences(self, db: Db, query: GetPreferences) -> PreferencesView:
        """A person's channels, defaults filled in."""
        found = await store.load_preferences(db, [query.user_id])
        return _preferences_view(found[query.user_id])

    async def _preferences(
        self, tx: Tx, user_ids: list[UUID]
    ) -> dict[UUID, Preferences]:
        return await tx.load("preferences", user_ids, store.load_preferences)


def _created(row: Notification) -> NotificationCreated:
    return NotificationCreated(
        notification_id=row.id, user_id=row.user_id, type=row.type
    )


def _told(row: Notification, before: Mapping[UUID, Carried]) -> Told:
    carried = before.get(row.id)
    return Told(
        id=row.id,
        email=carried.email if carried else row.email,
        sms=carried.sms if carried else row.sms,
    )


def _told_nobody(notification_id: UUID) -> Told:
    return Told(id=notification_id, email=False, sms=False)


def _preferences_view(preferences: Preferences) -> PreferencesView:
    return PreferencesView(
        types={kind: chosen(preferences, kind) for kind in NotificationType},
        version=preferences.version,
        updated_at=preferences.updated_at,
    )
