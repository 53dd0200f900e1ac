"""Messages are found by their person; addresses of those who are gone, for a minute."""

from alembic import op

revision = "0003"
down_revision = "0001"

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


def upgrade() -> None:
    """Make the index and the table."""
    for statement in (BY_USER, RECIPIENTS, COMMENT):
        op.execute(statement)
