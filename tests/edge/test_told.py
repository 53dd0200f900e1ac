"""Notifications and the delivery log over HTTP."""

from typing import Any
from uuid import uuid4

import pytest

from bus.kit.addressing import new_id
from bus.messaging import SendEmail
from bus.notifications import NotificationType, SendNotification
from tests.edge.front import Front, Person, key
from tests.payments.support import until

PREFERENCES = "/notifications/preferences"


async def tell(front: Front, person: Person, title: str) -> str:
    """Tell a person something; the notification's id."""
    notification_id = new_id(person.user_id)
    assert person.user_id is not None
    await front.shop.ask(
        SendNotification(
            notification_id=notification_id,
            user_id=person.user_id,
            type=NotificationType.SYSTEM_ALERT,
            title=title,
            body="It is so.",
        )
    )
    return str(notification_id)


async def test_a_person_reads_what_was_told(front: Front) -> None:
    ada, bob = await front.person(), await front.person()
    ids = [await tell(front, ada, title) for title in ("One", "Two", "Three")]
    page = await ada.call("GET /notifications?limit=2", 200)
    assert [one["title"] for one in page["items"]] == ["Three", "Two"]
    rest = f"GET /notifications?limit=2&cursor={page['next_cursor']}"
    assert [one["title"] for one in (await ada.call(rest, 200))["items"]] == ["One"]
    read = f"PUT /notifications/{ids[0]}/read"
    assert await bob.code(read, 404) == "not-found"
    first = await ada.call(read, 200)
    assert first["read_at"] is not None
    assert await ada.call(read, 200) == first
    unread = (await ada.call("GET /notifications?unread=true", 200))["items"]
    assert [one["id"] for one in unread] == [ids[2], ids[1]]
    assert await ada.call("PUT /notifications/read-all", 200) == {"count": 2}
    assert await ada.call("PUT /notifications/read-all", 200) == {"count": 0}
    assert (await ada.call("GET /notifications?unread=true", 200))["items"] == []
    assert (await bob.call("GET /notifications", 200))["items"] == []
    for query in ("unread=maybe", "limit=0", "cursor=zzz", "cursor=aGVsbG8"):
        await ada.call(f"GET /notifications?{query}", 422)
    assert await ada.code(f"PUT /notifications/{uuid4()}/read", 404) == "not-found"
    for line in ("GET /notifications", read, "PUT /notifications/read-all"):
        assert await front.guest.code(line, 401) == "authentication-required"


async def test_a_person_chooses_channels(front: Front) -> None:
    ada, bob = await front.person(), await front.person()
    before = await ada.call(f"GET {PREFERENCES}", 200)
    assert before["version"] == 0
    assert before["types"]["ORDER_CONFIRMATION"] == {
        "email": True,
        "sms": False,
        "in_app": True,
    }
    off = {"types": {"ORDER_CONFIRMATION": {"email": False}}}
    after = await ada.call(f"PUT {PREFERENCES}", 200, off)
    tag = {"If-Match": ada.headers["etag"]}
    assert after["types"]["ORDER_CONFIRMATION"]["email"] is False
    assert after["types"]["SYSTEM_ALERT"] == before["types"]["SYSTEM_ALERT"]
    await ada.call(f"PUT {PREFERENCES}", 200, off, **tag)
    code = await ada.code(f"PUT {PREFERENCES}", 412, off, **tag)
    assert code == "version-mismatch"
    assert await bob.call(f"GET {PREFERENCES}", 200) == before
    for line, body in ((f"GET {PREFERENCES}", None), (f"PUT {PREFERENCES}", off)):
        assert await front.guest.code(line, 401, body) == "authentication-required"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"types": {}},
        {"types": {"SECURITY": {"email": False}}},
        {"types": {"PROMOTION": {"pigeon": True}}},
        {"types": {"PROMOTION": {"email": "no"}}},
        {"types": {"PROMOTION": {"email": 0}}},
        {"types": [], "all": True},
    ],
)
async def test_a_bad_choice_is_refused(front: Front, body: dict[str, Any]) -> None:
    ada = await front.person()
    assert await ada.wrong(f"PUT {PREFERENCES}", body)
    assert (await ada.call(f"GET {PREFERENCES}", 200))["version"] == 0


async def send(front: Front, to: str, template: str) -> str:
    """Have a mail sent; the message's id."""
    message_id = new_id()
    await front.shop.ask(SendEmail(message_id=message_id, to=to, template=template))
    return str(message_id)


async def test_administrators_see_the_delivery_log_and_send_again(
    front: Front,
) -> None:
    admin, ada = await front.person("ADMIN"), await front.person()
    to = f"{uuid4().hex}@example.com"
    failed = await send(front, to, "no_such_template")
    log = f"GET /messages?recipient={to}"

    async def given_up() -> Any:
        return (await admin.call(f"{log}&status=FAILED", 200))["items"]

    (message,) = await until(given_up)
    assert (message["id"], message["recipient"]) == (failed, to)
    assert message["reason"]
    retry, once = f"POST /messages/{failed}/retry", key()
    again = await admin.call(retry, 202, None, **once)
    assert again["id"] == failed
    assert (await admin.call(retry, 202, None, **once))["id"] == failed
    (message,) = await until(given_up)
    assert message["attempts"] >= 1
    assert (await admin.call(f"{log}&status=SENT", 200))["items"] == []
    assert await admin.code(f"POST /messages/{uuid4()}/retry", 404) == "not-found"
    for line in (log, retry):
        assert await ada.code(line, 403) == "forbidden"
        assert await front.guest.code(line, 401) == "authentication-required"
    for query in ("status=LOST", "limit=101", "cursor=aGVsbG8", "recipient=%00"):
        await admin.call(f"GET /messages?{query}", 422)


async def test_a_message_that_was_sent_is_not_sent_again(front: Front) -> None:
    admin, ada = await front.person("ADMIN"), await front.person()
    await tell(front, ada, "One")
    user = await ada.call("GET /users/profile", 200)

    async def sent() -> Any:
        log = f"GET /messages?recipient={user['email']}&status=SENT"
        return (await admin.call(log, 200))["items"]

    (message,) = await until(sent)
    retry = f"POST /messages/{message['id']}/retry"
    assert await admin.code(retry, 409) == "message-not-failed"


async def test_reports_of_what_came_back_are_proven_or_refused(front: Front) -> None:
    admin = await front.person("ADMIN")
    before = await admin.call("GET /messages/suppressions?limit=100", 200)
    gone = "DELETE /messages/suppressions/nobody@example.com"
    assert await admin.code(gone, 404) == "not-found"
    assert await admin.code(f"GET /messages/{uuid4()}", 404) == "not-found"
    for place in ("bounces", f"webhooks/twilio?message_id={uuid4()}"):
        line = f"POST /messages/{place}"
        for body in (b"", b"To: bounces+x@shop.example\n\nNo", b"\xff\x00", {"a": 1}):
            assert await front.guest.code(line, 403, body) == "signature-invalid"
    after = await admin.call("GET /messages/suppressions?limit=100", 200)
    assert after == before
