"""The tables of users."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from persistence.kit.tables import domain_metadata

metadata = domain_metadata("users")


def moment(*, nullable: bool = False) -> Any:
    """A point in time, always with its zone."""
    return Field(sa_type=sa.DateTime(timezone=True), nullable=nullable)


class Table(SQLModel):
    """A table of this domain's own database."""

    metadata = metadata


class User(Table, table=True):
    """A person's account. Tokens of a lower `epoch` than this row's count no more.

    Who only ever signed in with an outside issuer has no password.
    """

    __tablename__ = "users"
    __table_args__ = (
        sa.Index(
            "users_by_email", "email", postgresql_ops={"email": "text_pattern_ops"}
        ),
        sa.Index(
            "users_by_epoch_raised_at",
            "epoch_raised_at",
            postgresql_where=sa.text("epoch_raised_at IS NOT NULL"),
        ),
        sa.Index("users_by_role", "role", "id"),
        sa.CheckConstraint(
            "role IN ('CUSTOMER', 'SELLER', 'ADMIN')", name="users_role"
        ),
        sa.CheckConstraint("status IN ('ACTIVE', 'BLOCKED')", name="users_status"),
    )
    id: UUID = Field(primary_key=True)
    email: str = Field(sa_type=sa.Text)
    email_verified: bool
    first_name: str = Field(sa_type=sa.Text)
    last_name: str = Field(sa_type=sa.Text)
    phone: str | None = Field(sa_type=sa.Text)
    locale: str = Field(sa_type=sa.Text)
    role: str = Field(sa_type=sa.Text)
    status: str = Field(sa_type=sa.Text)
    password_hash: str | None = Field(sa_type=sa.Text)
    epoch: int = Field(sa_type=sa.BigInteger)
    epoch_raised_at: datetime | None = moment(nullable=True)
    version: int
    created_at: datetime = moment()
    updated_at: datetime = moment()


class Session(Table, table=True):
    """A sign-in and its living refresh token.

    Of the token before it the hash is kept too, and the `nonce` that made the one out
    of the other: so a lost answer can be given again. A session that was ended stays
    (`ended_at`) until its last access token has expired.
    """

    __tablename__ = "sessions"
    __table_args__ = (
        sa.Index("sessions_by_user", "user_id", "id"),
        sa.Index(
            "sessions_by_ended_at",
            "ended_at",
            postgresql_where=sa.text("ended_at IS NOT NULL"),
        ),
    )
    id: UUID = Field(primary_key=True)
    user_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    secret_hash: bytes
    previous_hash: bytes | None
    nonce: bytes | None
    client_hash: bytes
    rotated_at: datetime = moment()
    expires_at: datetime = moment()
    created_at: datetime = moment()
    ended_at: datetime | None = moment(nullable=True)


class LoginTries(Table, table=True):
    """Tries to sign in to an account from one network address since a success.

    There is no reference to users: tries of unknown accounts count all the same.
    """

    __tablename__ = "login_tries"
    user_id: UUID = Field(primary_key=True)
    client_hash: bytes = Field(primary_key=True)
    tries: int
    since: datetime = moment()


class Identity(Table, table=True):
    """Who a person is at an outside issuer: its `iss` and `sub`."""

    __tablename__ = "identities"
    __table_args__ = (sa.Index("identities_by_user", "user_id"),)
    issuer: str = Field(primary_key=True, sa_type=sa.Text)
    subject: str = Field(primary_key=True, sa_type=sa.Text)
    user_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    created_at: datetime = moment()


class UsedSignIn(Table, table=True):
    """A sign-in with an issuer whose answer came; it is taken a single time."""

    __tablename__ = "used_sign_ins"
    attempt_id: UUID = Field(primary_key=True)
    used_at: datetime = moment()


class Code(Table, table=True):
    """The last code that was mailed to a person for a purpose, as a keyed hash."""

    __tablename__ = "codes"
    user_id: UUID = Field(primary_key=True, foreign_key="users.id", ondelete="CASCADE")
    purpose: str = Field(primary_key=True, sa_type=sa.Text)
    issue_id: UUID
    code_hash: bytes
    tries_left: int
    expires_at: datetime = moment()
    used_at: datetime | None = moment(nullable=True)
    issued: int
    issued_since: datetime = moment()


class AddressEntry(Table, table=True):
    """An entry of a person's address book."""

    __tablename__ = "addresses"
    __table_args__ = (sa.Index("addresses_by_user", "user_id", "id"),)
    id: UUID = Field(primary_key=True)
    user_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    name: str = Field(sa_type=sa.Text)
    line1: str = Field(sa_type=sa.Text)
    line2: str | None = Field(sa_type=sa.Text)
    city: str = Field(sa_type=sa.Text)
    region: str | None = Field(sa_type=sa.Text)
    postal_code: str = Field(sa_type=sa.Text)
    country: str = Field(sa_type=sa.Text)
    company: str | None = Field(sa_type=sa.Text)
    phone: str | None = Field(sa_type=sa.Text)
    default_shipping: bool
    default_billing: bool
    version: int
    created_at: datetime = moment()
    updated_at: datetime = moment()
