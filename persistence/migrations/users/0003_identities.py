"""People may sign in with an outside issuer, and then need no password."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the identities of people and the sign-ins that were used up."""
    op.execute("ALTER TABLE users ALTER COLUMN password_hash DROP NOT NULL")
    op.execute(
        """
        CREATE TABLE identities (
            issuer text NOT NULL,
            subject text NOT NULL,
            user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            created_at timestamptz NOT NULL,
            PRIMARY KEY (issuer, subject)
        )
        """
    )
    op.execute("CREATE INDEX identities_by_user ON identities (user_id)")
    op.execute(
        """
        CREATE TABLE used_sign_ins (
            attempt_id uuid PRIMARY KEY,
            used_at timestamptz NOT NULL
        )
        """
    )
