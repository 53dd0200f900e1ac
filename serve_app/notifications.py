"""How the world reaches notifications: what was told, and by which channels."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import Field

from bus.kit.values import Page
from bus.notifications import (
    Channel,
    GetNotificationsAfter,
    GetPreferences,
    ListNotifications,
    MarkAllRead,
    MarkedRead,
    MarkRead,
    NotificationCreated,
    NotificationRead,
    NotificationType,
    NotificationView,
    PreferencesView,
    SetPreferences,
)
from serve_app.kit.bodies import Body
from serve_app.kit.feeds import LINES_MAX
from serve_app.kit.routing import (
    SIGNED_IN,
    Caller,
    ExpectedVersion,
    Feed,
    Line,
    Pages,
    ResumeAfter,
    Router,
    ask,
)

router = Router("notifications")

_KIND = "notifications"
RECENT_MAX = 50

for _event in (NotificationCreated, NotificationRead):
    router.wakes(_event, _KIND, lambda told: told.user_id)

Unread = Annotated[
    bool | None, Query(description="Only unread ones (`true`), or only read ones.")
]


class ChannelsBody(Body):
    """The channels of one type; what is left out stays as it is."""

    email: bool | None = None
    sms: bool | None = None
    in_app: bool | None = None

    def value(self) -> dict[Channel, bool]:
        """Those that were named."""
        named: dict[Channel, bool | None] = {
            "email": self.email,
            "sms": self.sms,
            "in_app": self.in_app,
        }
        return {name: wanted for name, wanted in named.items() if wanted is not None}


class SetPreferencesBody(Body):
    """Channels by type; types that are left out stay as they are."""

    types: Annotated[dict[NotificationType, ChannelsBody], Field(min_length=1)]


@router.get("/notifications", access=SIGNED_IN)
async def list_notifications(
    caller: Caller, pages: Pages, unread: Unread = None
) -> Page[NotificationView]:
    """List what you were told, newest first."""
    query = ListNotifications(
        user_id=caller.person, unread=unread, limit=pages.limit, cursor=pages.cursor
    )
    return await ask(query)


@router.stream("/notifications/stream", access=SIGNED_IN)
async def follow_notifications(
    caller: Caller, after: ResumeAfter
) -> Feed[NotificationView]:
    """Follow your notifications: the last 50 changes, then each as it happens.

    Server-sent events: `notification_created` for one that is unread,
    `notification_read` for one that was read, here or in another window; the `id` is
    the notification's `position`, the `data` the whole of it as it is now. A connection
    that says `Last-Event-ID` gets exactly what changed after, each notification once.
    A browser's EventSource, which sends no headers, may bring the access token as the
    cookie `souk_access`. A comment comes every 15 seconds. The stream ends with the
    access token, with the session, and after an hour.
    """
    user_id = caller.person

    async def look(after: int | None) -> Sequence[Line]:
        limit = RECENT_MAX if after is None else LINES_MAX
        query = GetNotificationsAfter(user_id=user_id, after=after, limit=limit)
        return [_line(one) for one in (await ask(query)).items]

    return Feed(_KIND, user_id, look, after)


def _line(view: NotificationView) -> Line:
    kind = "notification_created" if view.read_at is None else "notification_read"
    return Line(view.position, kind, view)


@router.put("/notifications/read-all", access=SIGNED_IN)
async def mark_all_read(caller: Caller) -> MarkedRead:
    """Mark everything as read; answers how many were unread."""
    return await ask(MarkAllRead(user_id=caller.person))


@router.put("/notifications/{notification_id}/read", access=SIGNED_IN)
async def mark_read(notification_id: UUID, caller: Caller) -> NotificationView:
    """Mark one notification as read; again changes nothing."""
    command = MarkRead(user_id=caller.person, notification_id=notification_id)
    return await ask(command)


@router.get("/notifications/preferences", access=SIGNED_IN)
async def get_preferences(caller: Caller) -> PreferencesView:
    """Show by which channels you are told of what.

    Until you choose: `ORDER_CONFIRMATION`, `ORDER_UPDATE` (cancelled, refunded),
    `SHIPPING_UPDATE` (shipped, delivered), `PAYMENT_FAILURE`, `SYSTEM_ALERT` and
    `LOW_STOCK` by e-mail and in the shop; `PAYMENT_SUCCESS` in the shop only, because
    the confirmation mail is the receipt; `PROMOTION` in the shop only. Nothing by SMS.
    Security mail (codes, a changed password) is not a preference: it always comes.
    Guests get mail alone, by the same defaults.
    """
    return await ask(GetPreferences(user_id=caller.person))


@router.put("/notifications/preferences", access=SIGNED_IN)
async def set_preferences(
    body: SetPreferencesBody, caller: Caller, version: ExpectedVersion
) -> PreferencesView:
    """Choose channels by type; what you do not name stays as it is.

    PROMOTION goes by e-mail to verified addresses only.
    """
    types = {kind: channels.value() for kind, channels in body.types.items()}
    command = SetPreferences(user_id=caller.person, types=types, version=version)
    return await ask(command, id=caller.command_id())
