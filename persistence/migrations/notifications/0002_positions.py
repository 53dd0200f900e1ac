"""Every change of a person's notifications has a place in their order."""

from alembic import op

revision = "0002"
down_revision = "0001"

# Those that are there are numbered from 1; later ones begin at the clock's
# microseconds, which are higher.
STATEMENTS = (
    "ALTER TABLE notifications ADD COLUMN position bigint",
    """UPDATE notifications SET position = numbered.n
       FROM (SELECT id, row_number() OVER
               (PARTITION BY user_id ORDER BY updated_at, id) AS n
             FROM notifications) AS numbered
       WHERE notifications.id = numbered.id""",
    "ALTER TABLE notifications ALTER COLUMN position SET NOT NULL",
    """CREATE UNIQUE INDEX notifications_by_position
       ON notifications (user_id, position) WHERE in_app""",
)


def upgrade() -> None:
    """Number what is there, and let no two share a place."""
    for statement in STATEMENTS:
        op.execute(statement)
