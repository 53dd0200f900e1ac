"""What notifications say: what a person is told, by which channels, and was it read."""

import enum
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

from bus.kit.addressing import new_id
from bus.kit.messages import Command, Event, Query, by
from bus.kit.refusals import Refusal, not_found
from bus.kit.values import LIMIT_DEFAULT, LIMIT_MAX, Done, Page, Value

TITLE_MAX = 200
BODY_MAX = 2_000
CURSOR_MAX = 200

Channel = Literal["email", "sms", "in_app"]


class NotificationType(enum.StrEnum):
    """What a notification is about; people choose their channels by it."""

    ORDER_CONFIRMATION = "ORDER_CONFIRMATION"
    ORDER_UPDATE = "ORDER_UPDATE"
    SHIPPING_UPDATE = "SHIPPING_UPDATE"
    PAYMENT_SUCCESS = "PAYMENT_SUCCESS"
    PAYMENT_FAILURE = "PAYMENT_FAILURE"
    PROMOTION = "PROMOTION"
    SYSTEM_ALERT = "SYSTEM_ALERT"
    LOW_STOCK = "LOW_STOCK"


# --- views -------------------------------------------------------------------


class ChannelChoice(Value, frozen=True, kw_only=True):
    """The channels that one type of notification takes."""

    email: bool
    sms: bool
    in_app: bool


class PreferencesView(Value, frozen=True, kw_only=True):
    """A person's channels by type, defaults filled in; version 0: never set."""

    types: dict[NotificationType, ChannelChoice]
    version: int
    updated_at: datetime | None = None


class NotificationView(Value, frozen=True, kw_only=True):
    """One thing that a person was told in the shop.

    `position` is higher than that of everything that was told to the person, or read,
    before; reading it gives it a new one. It is a stream's event id.
    """

    id: UUID
    type: NotificationType
    title: str
    body: str
    data: dict[str, Any]
    read_at: datetime | None
    created_at: datetime
    updated_at: datetime
    version: int
    position: int = 0


class MarkedRead(Value, frozen=True):
    """How many notifications became read."""

    count: int


class ReadMark(Value, frozen=True, kw_only=True):
    """That a notification is read, and since when: nothing of what it says."""

    id: UUID
    read_at: datetime


class Told(Value, frozen=True, kw_only=True):
    """A notification stands, and these channels besides the shop's are to carry it."""

    id: UUID
    email: bool
    sms: bool


DEFAULTS: dict[NotificationType, ChannelChoice] = {
    kind: ChannelChoice(email=email, sms=False, in_app=in_app)
    for kind, email, in_app in (
        (NotificationType.ORDER_CONFIRMATION, True, True),
        (NotificationType.ORDER_UPDATE, True, True),
        (NotificationType.SHIPPING_UPDATE, True, True),
        # The confirmation mail is the receipt.
        (NotificationType.PAYMENT_SUCCESS, False, True),
        (NotificationType.PAYMENT_FAILURE, True, True),
        # Mail that nobody asked for is not sent.
        (NotificationType.PROMOTION, False, True),
        (NotificationType.SYSTEM_ALERT, True, True),
        (NotificationType.LOW_STOCK, True, True),
    )
}
"""The channels of a person who has not chosen."""


# --- commands ----------------------------------------------------------------


class SendNotification(Command[Told], frozen=True, kw_only=True):
    """Tell a person something; acts once by `notification_id`.

    `notification_id` carries the person's hash (`new_id(user_id)`). The mail and the
    SMS, where the person wants them, are queued when it is answered. `template` names
    the mail's; without one the title and body are mailed as they are. Asked for with a
    caller's key, it acts once by that, and ends without its caller.
    """

    key = by("user_id")
    remembered = False
    notification_id: UUID
    user_id: UUID
    type: NotificationType
    title: str
    body: str
    data: dict[str, Any] = msgspec.field(default_factory=dict)
    template: str = "notification"


class MarkRead(Command[NotificationView], frozen=True, kw_only=True):
    """The person has read it; again changes nothing."""

    key = by("user_id")
    remembered = False  # read_at is set once
    user_id: UUID
    notification_id: UUID


class ConfirmRead(Command[ReadMark], frozen=True, kw_only=True):
    """As MarkRead; answered in ids only, so that the answer can be remembered."""

    key = by("user_id")
    remembered = False  # read_at is set once
    user_id: UUID
    notification_id: UUID


class MarkAllRead(Command[MarkedRead], frozen=True, kw_only=True):
    """The person has read everything that there is now."""

    key = by("user_id")
    remembered = False  # again finds nothing unread
    user_id: UUID


class SetPreferences(Command[PreferencesView], frozen=True, kw_only=True):
    """Choose channels by type; types and channels that are not named stay as they are.

    `version` is the one that was seen, None for any: `version-mismatch` otherwise.
    """

    key = by("user_id")
    user_id: UUID
    types: dict[NotificationType, dict[Channel, bool]]
    version: int | None = None


class TellOrderCreated(Command[Done], frozen=True, kw_only=True):
    """Tell an order's buyer and its sellers that it has come in; once by order."""

    key = by("order_id")
    remembered = False  # each notification's id follows from the order's
    order_id: UUID


class RaiseAlert(Command[Done], frozen=True, kw_only=True):
    """Tell every administrator that something needs a person; once by the command's id.

    `about` says which thing, `facts` what is known of it: ids and codes only.
    """

    key = by("about")
    remembered = False  # each notification's id follows from the command's
    about: str
    title: str
    body: str
    facts: dict[str, str]


# --- steps: said by notifications to itself ----------------------------------


class RecordNotification(Command[Told], frozen=True, kw_only=True):
    """Write the notification once, and say which channels are to carry it."""

    key = by("user_id")
    remembered = False
    notification_id: UUID
    user_id: UUID
    type: NotificationType
    title: str
    body: str
    data: dict[str, Any] = msgspec.field(default_factory=dict)


class CarryNotification(Command[Told], frozen=True, kw_only=True):
    """Take up a recorded notification, whose mail and SMS may not be queued yet."""

    key = by("user_id")
    remembered = False
    user_id: UUID
    notification_id: UUID


class MarkSomeRead(Command[MarkedRead], frozen=True, kw_only=True):
    """As many of the person's unread ones as one step takes become read."""

    key = by("user_id")
    remembered = False
    user_id: UUID


# --- queries -----------------------------------------------------------------


class ListNotifications(Query[Page[NotificationView]], frozen=True, kw_only=True):
    """A person's notifications, newest first; `unread` keeps only (un)read ones."""

    key = by("user_id")
    user_id: UUID
    unread: bool | None = None
    also_mailed: bool = False
    limit: int = 20
    cursor: str | None = None


class GetNotificationsAfter(Query[Page[NotificationView]], frozen=True, kw_only=True):
    """A person's notifications above a position, the lowest first, as they are now.

    None: the last ones that there are, not above `limit` of them.
    """

    key = by("user_id")
    user_id: UUID
    after: int | None
    limit: int


class GetPreferences(Query[PreferencesView], frozen=True, kw_only=True):
    """A person's channels by type."""

    key = by("user_id")
    user_id: UUID


# --- refusals ----------------------------------------------------------------


def no_such_notification() -> Refusal:
    """There is none, or it is another person's."""
    return not_found("notification")


# --- events ------------------------------------------------------------------


class NotificationCreated(Event, frozen=True, kw_only=True):
    """A person was told something in the shop."""

    key = by("user_id")
    subject = by("notification_id")
    notification_id: UUID
    user_id: UUID
    type: NotificationType


class NotificationRead(Event, frozen=True, kw_only=True):
    """The person has read it."""

    key = by("user_id")
    subject = by("notification_id")
    notification_id: UUID
    user_id: UUID


# --- NATS services -----------------------------------------------------------

Title = Annotated[str, msgspec.Meta(min_length=1, max_length=TITLE_MAX)]
Body = Annotated[str, msgspec.Meta(max_length=BODY_MAX)]
Limit = Annotated[int, msgspec.Meta(ge=1, le=LIMIT_MAX)]
Cursor = Annotated[str, msgspec.Meta(max_length=CURSOR_MAX)]
IdempotencyKey = Annotated[str, msgspec.Meta(min_length=16, max_length=64)]


class NotificationSendRequest(
    Value, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """Tell a person something, by the channels that the person chose for the type."""

    user_id: UUID
    type: NotificationType
    title: Title
    body: Body = ""
    data: dict[str, str | int | float | bool | None] = {}
    idempotency_key: IdempotencyKey | None = None

    def to_message(self) -> SendNotification:
        """The command that is meant."""
        return SendNotification(
            notification_id=new_id(self.user_id),
            user_id=self.user_id,
            type=self.type,
            title=self.title,
            body=self.body,
            data=dict(self.data),
        )


class NotificationGetUserRequest(
    Value, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """List what a person was told in the shop, newest first, in pages."""

    user_id: UUID
    unread: bool | None = None
    limit: Limit = LIMIT_DEFAULT
    cursor: Cursor | None = None

    def to_message(self) -> ListNotifications:
        """The query that is meant."""
        return ListNotifications(
            user_id=self.user_id,
            unread=self.unread,
            limit=self.limit,
            cursor=self.cursor,
        )


class NotificationMarkReadRequest(
    Value, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """Say that a person has read a notification; another person's is not found."""

    user_id: UUID
    notification_id: UUID
    idempotency_key: IdempotencyKey | None = None

    def to_message(self) -> ConfirmRead:
        """The command that is meant."""
        return ConfirmRead(user_id=self.user_id, notification_id=self.notification_id)


class NotificationOrderCreatedRequest(
    Value, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """Tell an order's buyer, and the sellers of its lines, that it has come in.

    Once by order, with or without a key. The shop itself tells its buyers when an
    order is confirmed; this is for orders that wait, or that others took.
    """

    order_id: UUID
    idempotency_key: IdempotencyKey | None = None

    def to_message(self) -> TellOrderCreated:
        """The command that is meant."""
        return TellOrderCreated(order_id=self.order_id)


SERVICES: dict[str, Any] = {
    "notification.send": NotificationSendRequest,
    "notification.get-user": NotificationGetUserRequest,
    "notification.mark-read": NotificationMarkReadRequest,
    "notification.order-created": NotificationOrderCreatedRequest,
}
"""NATS subject → the form of its request."""


def dead_letter_alert(domain: str, entity: str, event_type: str) -> RaiseAlert:
    """The alert that `domain` could not handle an event of `entity`."""
    return RaiseAlert(
        about=f"{domain}/{entity}",
        title=f"{domain.capitalize()} could not handle an event",
        body=(
            f"{event_type} of {entity} was put aside, and what comes after it waits"
            " behind it. See `scripts/dead list`."
        )[:BODY_MAX],
        facts={"domain": domain, "entity": entity, "event_type": event_type},
    )


DEAD_LETTER_ALERT = dead_letter_alert
"""What a bridge asks for when it has put an event aside."""
