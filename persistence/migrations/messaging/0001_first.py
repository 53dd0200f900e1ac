"""The delivery log with its queue, and the mailbox of the embedded default."""

from alembic import op

revision = "0001"
down_revision = None

MESSAGES = """
CREATE TABLE messages (
    message_id uuid NOT NULL,
    day date NOT NULL,
    slot smallint NOT NULL,
    channel text NOT NULL
        CONSTRAINT messages_channel CHECK (channel IN ('email', 'sms')),
    template text NOT NULL,
    recipient text NOT NULL,
    user_id uuid,
    locale text NOT NULL,
    security boolean NOT NULL,
    data text,
    status text NOT NULL
        CONSTRAINT messages_status CHECK (status IN ('QUEUED', 'SENT', 'FAILED')),
    attempts smallint NOT NULL,
    reason text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    sent_at timestamptz,
    next_attempt_at timestamptz,
    PRIMARY KEY (message_id, day)
) PARTITION BY RANGE (day);
CREATE TABLE messages_default PARTITION OF messages DEFAULT;
CREATE INDEX messages_queued ON messages (slot) WHERE status = 'QUEUED';
CREATE INDEX messages_recipient ON messages (recipient, message_id);
COMMENT ON TABLE messages IS 'Delivery log and queue, kept 90 days.';
"""

MAILBOX = """
CREATE TABLE mailbox (
    id uuid PRIMARY KEY,
    channel text NOT NULL,
    recipient text NOT NULL,
    content bytea NOT NULL,
    at timestamptz NOT NULL
);
COMMENT ON TABLE mailbox IS 'Mails and SMS that the embedded default caught.';
"""


def upgrade() -> None:
    """Make both tables."""
    for statements in (MESSAGES, MAILBOX):
        for statement in statements.split(";"):
            if statement.strip():
                op.execute(statement)
