"""Notifications, and the channels that people chose."""

from alembic import op

revision = "0001"
down_revision = None

NOTIFICATIONS = """
CREATE TABLE notifications (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL,
    type text NOT NULL,
    title text NOT NULL,
    body text NOT NULL,
    data text NOT NULL,
    in_app boolean NOT NULL,
    email boolean NOT NULL,
    sms boolean NOT NULL,
    read_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version integer NOT NULL
);
CREATE INDEX notifications_of_user ON notifications (user_id, id) WHERE in_app;
CREATE INDEX notifications_unread ON notifications (user_id, id)
    WHERE in_app AND read_at IS NULL;
CREATE INDEX notifications_by_age ON notifications USING brin (created_at);
COMMENT ON TABLE notifications IS 'What people were told, once by event.';
"""

PREFERENCES = """
CREATE TABLE preferences (
    user_id uuid PRIMARY KEY,
    choices text NOT NULL,
    version integer NOT NULL,
    updated_at timestamptz NOT NULL
);
COMMENT ON TABLE preferences IS 'Channels by type, where a person has chosen.';
"""


def upgrade() -> None:
    """Make both tables."""
    for statements in (NOTIFICATIONS, PREFERENCES):
        for statement in statements.split(";"):
            if statement.strip():
                op.execute(statement)
