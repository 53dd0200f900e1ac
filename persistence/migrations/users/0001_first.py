"""The first tables of users."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make accounts, sessions, tries, codes and address books."""
    _accounts()
    _sessions()
    _codes()
    _addresses()


def _accounts() -> None:
    op.execute(
        """
        CREATE TABLE users (
            id uuid PRIMARY KEY,
            email text NOT NULL,
            email_verified boolean NOT NULL,
            first_name text NOT NULL,
            last_name text NOT NULL,
            phone text,
            locale text NOT NULL,
            role text NOT NULL
                CONSTRAINT users_role CHECK (role IN ('CUSTOMER', 'SELLER', 'ADMIN')),
            status text NOT NULL
                CONSTRAINT users_status CHECK (status IN ('ACTIVE', 'BLOCKED')),
            password_hash text NOT NULL,
            epoch bigint NOT NULL,
            epoch_raised_at timestamptz,
            version integer NOT NULL,
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX users_by_email ON users (email text_pattern_ops)")
    op.execute("CREATE INDEX users_by_role ON users (role, id)")
    op.execute(
        """
        CREATE INDEX users_by_epoch_raised_at ON users (epoch_raised_at)
            WHERE epoch_raised_at IS NOT NULL
        """
    )


def _sessions() -> None:
    op.execute(
        """
        CREATE TABLE sessions (
            id uuid PRIMARY KEY,
            user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            secret_hash bytea NOT NULL,
            previous_hash bytea,
            nonce bytea,
            client_hash bytea NOT NULL,
            rotated_at timestamptz NOT NULL,
            expires_at timestamptz NOT NULL,
            created_at timestamptz NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX sessions_by_user ON sessions (user_id, id)")
    op.execute(
        """
        CREATE TABLE login_tries (
            user_id uuid NOT NULL,
            client_hash bytea NOT NULL,
            tries integer NOT NULL,
            since timestamptz NOT NULL,
            PRIMARY KEY (user_id, client_hash)
        )
        """
    )


def _codes() -> None:
    op.execute(
        """
        CREATE TABLE codes (
            user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            purpose text NOT NULL,
            issue_id uuid NOT NULL,
            code_hash bytea NOT NULL,
            tries_left integer NOT NULL,
            expires_at timestamptz NOT NULL,
            used_at timestamptz,
            issued integer NOT NULL,
            issued_since timestamptz NOT NULL,
            PRIMARY KEY (user_id, purpose)
        )
        """
    )


def _addresses() -> None:
    op.execute(
        """
        CREATE TABLE addresses (
            id uuid PRIMARY KEY,
            user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            name text NOT NULL,
            line1 text NOT NULL,
            line2 text,
            city text NOT NULL,
            region text,
            postal_code text NOT NULL,
            country text NOT NULL,
            company text,
            phone text,
            default_shipping boolean NOT NULL,
            default_billing boolean NOT NULL,
            version integer NOT NULL,
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX addresses_by_user ON addresses (user_id, id)")
