"""Messages are found by their person; addresses of those who are gone, for a minute."""

from alembic import op

revision = "0003"
down_revision = "0002"

BY_USER = """
CREATE INDEX messages_by_user ON messages (user_id) WHERE user_id IS NOT NULL
"""
RECIPIENTS = """
CREATE TABLE erased_recipients (
    user_id uuid NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (user_id, hash))
"""
COMMENT = """
COMMENT ON TABLE erased_recipients IS
  'SHA-256 of addresses whose last mails may still be on their way; kept a minute.'
"""
SUPPRESSIONS = """
ALTER TABLE suppressions ADD COLUMN user_id uuid
"""
OWNERS = """
UPDATE suppressions SET user_id = owner.user_id
FROM (SELECT DISTINCT ON (lower(recipient)) lower(recipient) AS address, user_id
      FROM messages WHERE user_id IS NOT NULL
      ORDER BY lower(recipient), message_id DESC) AS owner
WHERE suppressions.address = owner.address
"""
BY_OWNER = """
CREATE INDEX suppressions_by_user ON suppressions (user_id) WHERE user_id IS NOT NULL
"""


def upgrade() -> None:
    """Make the indexes and the table; what bounced is its person's."""
    for statement in (BY_USER, RECIPIENTS, COMMENT, SUPPRESSIONS, OWNERS, BY_OWNER):
        op.execute(statement)
