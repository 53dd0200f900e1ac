"""Routes of the delivery log, for administrators."""

from typing import Annotated
from uuid import UUID

from fastapi import Query

from bus.kit.values import Page
from bus.messaging import (
    GetMessage,
    ListMessages,
    MessageStatus,
    MessageView,
    RetryMessage,
)
from serve_app.kit.bodies import EMAIL_MAX
from serve_app.kit.routing import ADMIN, Caller, Pages, ask
from serve_app.messaging.router import router

Recipient = Annotated[
    str | None,
    Query(max_length=EMAIL_MAX, description="An e-mail address or a phone number."),
]


@router.get("/messages", access=ADMIN)
async def list_messages(
    pages: Pages, recipient: Recipient = None, status: MessageStatus | None = None
) -> Page[MessageView]:
    """List the delivery log, newest first.

    `QUEUED` waits for its (next) try at `next_attempt_at`, `SENT` was taken by the mail
    server or Twilio, `DELIVERED` is known to have arrived, `FAILED` was given up and
    can be retried, `BOUNCED` came back. `reason` is the code of the last try that
    failed, such as `recipient-refused-550` or `server-unreachable`, and `tries` has
    each of them with its time. A message is tried up to 12 times over some six hours;
    the log is kept for 90 days.
    """
    query = ListMessages(
        recipient=recipient, status=status, limit=pages.limit, cursor=pages.cursor
    )
    return await ask(query)


@router.get("/messages/{message_id}", access=ADMIN)
async def get_message(message_id: UUID) -> MessageView:
    """Show one message of the delivery log, with its tries."""
    return await ask(GetMessage(message_id=message_id))


@router.post(
    "/messages/{message_id}/retry",
    access=ADMIN,
    status=202,
    idempotent=True,
    also=(409,),
)
async def retry_message(message_id: UUID, caller: Caller) -> MessageView:
    """Queue a failed message again, with all its tries before it.

    409 `message-not-failed` for one that is queued, sent or came back: what it said is
    not kept longer than until it is sent.
    """
    await ask(RetryMessage(message_id=message_id), id=caller.command_id())
    return await ask(GetMessage(message_id=message_id))
