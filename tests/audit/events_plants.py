"""What can be wrong with events, their effects, processes, and people's secrets."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from tests.audit.planting import Event, Plant, aged_id, last_n, one, packed

# Nobody consumes these, so that nothing but the events themselves is wrong.
QUIET = Event("users", "password_changed", str(uuid4()))
FIRST = replace(QUIET, id=str(uuid4()))
SECOND = replace(QUIET, sequence=2, id=str(uuid4()))
PARKED = Event("orders", "order_placed", "somebody", stream="DEAD")
SECRET = Event("files", "file_uploaded", str(uuid4()), data={"name": "Grace Hopper"})
KEPT = Event("files", "file_uploaded", str(uuid4()))
FRESH = replace(
    QUIET,
    id=str(uuid4()),
    data={"said": "write to Grace@Example.com."},
    time=datetime.now(UTC) + timedelta(hours=1),
)

_TAIL = """(SELECT slot, n FROM outbox WHERE n =
  (SELECT max(n) FROM outbox AS later WHERE later.slot = outbox.slot)
  ORDER BY slot LIMIT 1)"""
_PAIR = """(SELECT before.slot, before.n AS first, after.n AS second
  FROM outbox AS before JOIN outbox AS after ON before.slot = after.slot
    AND before.n < after.n
    AND before.payload::jsonb ->> 'subject' = after.payload::jsonb ->> 'subject'
  ORDER BY 1, 2 LIMIT 1)"""

EVENTS = (
    one(
        "outbox-gapless",
        "inventory",
        f"UPDATE outbox SET n = outbox.n + 1 FROM {_TAIL} AS tail"
        " WHERE outbox.slot = tail.slot AND outbox.n = tail.n",
    ),
    one(
        "entity-gapless",
        "inventory",
        f"CREATE TEMP TABLE pair ON COMMIT DROP AS SELECT * FROM {_PAIR} AS found",
        "UPDATE outbox SET n = - outbox.n FROM pair"
        " WHERE outbox.slot = pair.slot AND outbox.n IN (pair.first, pair.second)",
        "UPDATE outbox SET n = pair.first + pair.second + outbox.n FROM pair"
        " WHERE outbox.slot = pair.slot AND outbox.n < 0",
    ),
    one(
        "entity-last-number",
        "orders",
        "UPDATE sequences SET sequence = sequence + 1 WHERE subject = '%(guest)s'",
    ),
    Plant(
        "event-published-once",
        (QUIET.told(5, last_n(5)), QUIET.counted()),
        why="never",
    ),
    Plant(
        "event-known",
        events=(Event("files", "file_deleted", str(uuid4())),),
    ),
    Plant(
        "event-known",
        (
            replace(QUIET, data={"said": "one thing"}).told(5, last_n(5)),
            QUIET.counted(),
        ),
        events=(replace(QUIET, data={"said": "another"}),),
        why="other words",
    ),
    Plant(
        "event-order",
        (
            FIRST.told(5, last_n(5)),
            SECOND.told(5, last_n(5)),
            SECOND.counted(),
        ),
        events=(SECOND, FIRST),
    ),
    one(
        "event-handled",
        "products",
        "DELETE FROM handled WHERE command_id = (SELECT max(command_id::text)::uuid"
        " FROM handled WHERE answer IS NOT NULL AND resume IS NULL)",
    ),
)

_COLUMNS = "title, body, data, in_app, email, sms, created_at, updated_at, version"
_OF_GUEST = "recipient = 'guest@example.com'"
_MESSAGE = """channel, template, recipient, user_id, locale, security, attempts,
  created_at"""

EFFECTS = (
    one(
        "notified-once",
        "notifications",
        f"INSERT INTO notifications (id, user_id, type, position, {_COLUMNS}) SELECT"
        " gen_random_uuid(), user_id, type, position + 1000000, title, body, data,"
        " in_app, false, sms, created_at, updated_at, version FROM notifications"
        " WHERE type = 'ORDER_CONFIRMATION' LIMIT 1",
        why="twice",
    ),
    one(
        "notified-once",
        "notifications",
        "DELETE FROM notifications WHERE id = (SELECT id FROM notifications"
        " WHERE type = 'PAYMENT_SUCCESS' LIMIT 1)",
        why="never",
    ),
    one("guest-mailed", "messaging", f"DELETE FROM messages WHERE {_OF_GUEST}"),
    one(
        "notification-mailed",
        "messaging",
        "DELETE FROM messages WHERE template = 'order_delivered'",
    ),
    one(
        "message-once",
        "messaging",
        f"INSERT INTO messages (message_id, day, slot, status, updated_at, {_MESSAGE})"
        f" SELECT message_id, day - 1, slot, status, updated_at, {_MESSAGE}"
        f" FROM messages WHERE {_OF_GUEST}",
    ),
    one(
        "mail-once",
        "messaging",
        "INSERT INTO mailbox SELECT gen_random_uuid(), channel, recipient, content, at"
        f" FROM mailbox WHERE {_OF_GUEST}",
    ),
    one(
        "message-sent-told",
        "messaging",
        f"INSERT INTO messages (message_id, day, slot, status, updated_at, {_MESSAGE})"
        f" SELECT gen_random_uuid(), day, slot, 'SENT', updated_at, {_MESSAGE}"
        f" FROM messages WHERE {_OF_GUEST}",
    ),
    one(
        "message-not-stuck",
        "messaging",
        f"INSERT INTO messages (message_id, day, slot, status, updated_at, {_MESSAGE})"
        " SELECT gen_random_uuid(), day, slot, 'QUEUED', now() - interval '1 hour',"
        f" {_MESSAGE} FROM messages WHERE {_OF_GUEST}",
    ),
    one(
        "stock-shown",
        "products",
        "UPDATE sku_stock SET in_stock = NOT in_stock WHERE sku = 'LAST'",
    ),
    one("purchase-noted", "products", "DELETE FROM purchases"),
)

_HANDLED = "INSERT INTO handled (command_id, day, slot, state, answer_kind, answer)"
_DUE = "INSERT INTO due (name, id, slot, at, kind, message) VALUES"

PROCESSES = (
    one(
        "process-finished",
        "payments",
        f"{_HANDLED} VALUES ('{aged_id()}', current_date, 0, 0, NULL, NULL)",
    ),
    one(
        "due-in-time",
        "payments",
        f"{_DUE} ('late', gen_random_uuid(), 0, now() - interval '1 hour',"
        f" 'payments.settle_attempt', {packed({})})",
    ),
    Plant("no-dead-letters", events=(PARKED,)),
    one("slots-owned", "users", "UPDATE slots SET shard = 7 WHERE slot = 3"),
    one(
        "slots-owned",
        "users",
        "DELETE FROM slots WHERE slot = 63",
        why="nobody's",
    ),
)

PRIVACY = (
    Plant(
        "no-person-in-outbox",
        (FRESH.told(5, last_n(5)), FRESH.counted()),
    ),
    Plant(
        "no-person-in-stream",
        # Not from 1 on: what is told in `files` may be older than what is kept.
        (KEPT.told(5, 5), KEPT.counted()),
        events=(KEPT, SECRET),
    ),
    one(
        "no-person-in-handled",
        "users",
        f"{_HANDLED} VALUES ('{uuid4()}', current_date, 0, 2, 0,"
        f" {packed({'user': {'first_name': 'Grace'}})})",
    ),
    one(
        "no-person-in-handled",
        "orders",
        f"{_HANDLED} VALUES ('{uuid4()}', current_date, 0, 2, 0,"
        f" {packed([['1 Analytical Row']])})",
        why="an address",
    ),
    one(
        "no-person-in-due",
        "notifications",
        f"{_DUE} ('x', gen_random_uuid(), 0, now() + interval '1 hour',"
        f" 'notifications.x', {packed({'phone': '+442079460001'})})",
    ),
)
