"""What messaging shows to who compares, and what it checks by itself."""

from persistence.kit.books import ALWAYS, SINCE, Books, Self, Shown

QUEUED_SECONDS_MAX = 60
TOLD_DAYS = 6
"""How far back what was told is surely kept."""

_ONCE = f"""
SELECT message_id::text, 'queued ' || count(*) || ' times' FROM messages
WHERE message_id IN
  (SELECT message_id FROM messages WHERE {SINCE.format(row="messages")})
GROUP BY message_id HAVING count(*) > 1"""

_STUCK = f"""
SELECT message_id::text, channel || ' queued since '
    || coalesce(next_attempt_at, updated_at)
FROM messages WHERE status = 'QUEUED' AND $1::text IS NOT NULL
  AND coalesce(next_attempt_at, updated_at)
    < now() - interval '{QUEUED_SECONDS_MAX} seconds'"""

_SENT = "outbox.subject = 'events.messaging.message_sent'"
_TOLD = f"""
WITH sent AS (
  SELECT DISTINCT message_id::text AS id FROM messages
  WHERE {SINCE.format(row="messages")} AND status = 'SENT'
    AND created_at > now() - interval '{TOLD_DAYS} days'),
told AS (
  SELECT payload::jsonb ->> 'subject' AS id, count(*) AS times FROM outbox
  WHERE {SINCE.format(row="outbox")} AND {_SENT} GROUP BY 1),
counts AS (
  SELECT sent.id, coalesce(told.times, (
    SELECT count(*) FROM outbox
    WHERE {_SENT} AND payload::jsonb ->> 'subject' = sent.id)) AS times
  FROM sent LEFT JOIN told ON told.id = sent.id)
SELECT id, 'told as sent ' || times || ' times' FROM counts WHERE times <> 1"""

_MAILED = f"""
SELECT encode(message_id, 'escape'), 'delivered ' || count(*) || ' times' FROM mailbox
WHERE message_id IN
  (SELECT message_id FROM mailbox WHERE {SINCE.format(row="mailbox")})
GROUP BY message_id HAVING count(*) > 1"""

BOOKS = Books(
    shown=(
        Shown("messages", "message_id, channel, status, updated_at", "message_id"),
        Shown("mailbox", "id, channel", "id"),
    ),
    checks=(
        Self("message-once", ("messages",), _ONCE),
        Self("message-not-stuck", (ALWAYS,), _STUCK),
        Self("message-sent-told", ("messages",), _TOLD),
        Self("mail-once", ("mailbox",), _MAILED),
    ),
    noted=True,
)
