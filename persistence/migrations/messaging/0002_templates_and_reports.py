"""The shop's own templates, tries one by one, and what comes back."""

from alembic import op

revision = "0002"
down_revision = "0001"

MESSAGES = """
ALTER TABLE messages ADD COLUMN tries jsonb NOT NULL DEFAULT '[]';
ALTER TABLE messages DROP CONSTRAINT messages_status;
ALTER TABLE messages ADD CONSTRAINT messages_status CHECK
    (status IN ('QUEUED', 'SENT', 'DELIVERED', 'FAILED', 'BOUNCED'));
CREATE INDEX messages_given_up ON messages (message_id)
    WHERE status IN ('FAILED', 'BOUNCED');
"""

TEMPLATES = """
CREATE TABLE email_templates (
    name text NOT NULL,
    locale text NOT NULL,
    subject text NOT NULL,
    mjml text NOT NULL,
    text text NOT NULL,
    description text NOT NULL,
    sample text NOT NULL,
    actor_id uuid NOT NULL,
    removed boolean NOT NULL,
    version integer NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (name, locale)
);
COMMENT ON TABLE email_templates
    IS 'The shop''s own mail templates, versions only ever grow.';
"""

SUPPRESSIONS = """
CREATE TABLE suppressions (
    address text PRIMARY KEY,
    reason text NOT NULL,
    bounces integer NOT NULL,
    suppressed boolean NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
COMMENT ON TABLE suppressions
    IS 'Addresses that mail bounced from, in lower case.';
"""


def upgrade() -> None:
    """Add a column and two tables."""
    for statements in (MESSAGES, TEMPLATES, SUPPRESSIONS):
        for statement in statements.split(";"):
            if statement.strip():
                op.execute(statement)
