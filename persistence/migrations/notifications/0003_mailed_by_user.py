"""Notifications that were only mailed are found by their person, too."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the index: those that the shop shows have one."""
    op.execute(
        "CREATE INDEX notifications_mailed ON notifications (user_id, id)"
        " WHERE NOT in_app"
    )
