"""Which message a caught mail is of stands beside it, so that a second one is found."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

AT = r"position('\012Message-ID: <'::bytea IN substring(content FROM 1 FOR 4096))"


def upgrade() -> None:
    """Add the column, which needs no writer's help, and its index."""
    op.execute(
        f"""ALTER TABLE mailbox ADD COLUMN message_id bytea GENERATED ALWAYS AS
              (CASE WHEN channel = 'email' AND {AT} > 0
               THEN substring(content FROM {AT} + 14 FOR 36) END) STORED"""
    )
    op.execute(
        "COMMENT ON COLUMN mailbox.message_id IS "
        "'Of a mail: the id of the message, from its Message-ID.'"
    )
    op.execute("CREATE INDEX mailbox_message_id ON mailbox (message_id)")
