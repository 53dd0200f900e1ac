"""Who asks: one request's caller, as every route and every ask sees them."""

import enum
import hashlib
import re
from contextvars import ContextVar
from uuid import UUID, uuid5

from bus.kit.addressing import new_id
from serve_app.kit.problems import Problem

KEY = re.compile(r"[\x21-\x7e]{16,64}")
TOKEN = re.compile(r"[A-Za-z0-9_-]{16,128}")

# The namespace (RFC 9562 §5.5) that command ids of this shop are named in.
_COMMANDS = UUID("5ea1c0de-0000-5000-8000-736f756b0001")


class Access(enum.Enum):
    """Who may use a route. SELLER lets administrators in too."""

    PUBLIC = "public"
    SIGNED_IN = "signed in"
    SELLER = "SELLER, ADMIN"
    ADMIN = "ADMIN"

    def admits(self, role: str | None) -> bool:
        """True if a person of this role (None: nobody signed in) may pass."""
        if self is Access.PUBLIC:
            return True
        if self is Access.SIGNED_IN:
            return role is not None
        return role == "ADMIN" or (self is Access.SELLER and role == "SELLER")


class Caller:
    """The person or guest behind a request, and what came with it.

    `user_id`, `role` and `session_id` are of the access token; `cart_token` and
    `order_token` are what a guest holds. `command_id` makes repeated requests act once.
    """

    __slots__ = (
        "body_hash",
        "cart_token",
        "idempotent",
        "key",
        "keyed",
        "order_token",
        "request_id",
        "role",
        "route",
        "session_id",
        "traceparent",
        "used_key",
        "user_id",
    )

    def __init__(
        self,
        *,
        request_id: str,
        traceparent: str,
        user_id: UUID | None = None,
        role: str | None = None,
    ) -> None:
        self.request_id = request_id
        self.traceparent = traceparent
        self.user_id = user_id
        self.role = role
        self.session_id: UUID | None = None
        self.cart_token: str | None = None
        self.order_token: str | None = None
        self.key: str | None = None
        self.route = ""
        self.idempotent = False
        self.body_hash: bytes | None = None
        self.keyed: dict[UUID, str | None] = {}
        self.used_key = False

    @property
    def is_admin(self) -> bool:
        """True for an administrator."""
        return self.role == "ADMIN"

    @property
    def is_staff(self) -> bool:
        """True for a seller or an administrator."""
        return self.role in ("SELLER", "ADMIN")

    @property
    def person(self) -> UUID:
        """The signed-in person's id; only for routes that are not PUBLIC."""
        if self.user_id is None:
            raise RuntimeError("a route that is PUBLIC asked for the signed-in person")
        return self.user_id

    @property
    def session(self) -> UUID:
        """The session of the access token; only for routes that are not PUBLIC."""
        if self.session_id is None:
            raise RuntimeError("a route that is PUBLIC asked for the session")
        return self.session_id

    def command_id(self, purpose: str | None = None) -> UUID:
        """The id of the command that this request stands for.

        With an Idempotency-Key on a route that takes one it is uuid5 of the caller,
        the route and the key (design §3 "Once"), else a new UUIDv7. A route that sends
        several commands names each one's `purpose`.
        """
        for id_, named in self.keyed.items():
            if named == purpose:
                return id_
        id_ = new_id()
        if self.idempotent and self.key is not None:
            parts = (self._who(), self.route, purpose or "", self.key)
            id_ = uuid5(_COMMANDS, "\x1f".join(parts))
        self.keyed[id_] = purpose
        return id_

    def hash_for(self, id_: UUID | None) -> bytes | None:
        """The body's hash, if `id_` comes of this request's Idempotency-Key."""
        if id_ is None or self.key is None or not self.idempotent:
            return None
        if id_ not in self.keyed:
            return None
        self.used_key = True
        return self.body_hash

    def _who(self) -> str:
        if self.user_id is not None:
            return str(self.user_id)
        secret = self.cart_token or self.order_token
        if secret is None:
            return "guest"
        return hashlib.sha256(secret.encode()).hexdigest()


CALLER: ContextVar[Caller | None] = ContextVar("souk_caller", default=None)
"""The caller of the request that runs now; None outside requests."""


def checked_key(value: str) -> str:
    """An Idempotency-Key as the contract wants it; raises Problem 422."""
    if KEY.fullmatch(value) is None:
        raise Problem(
            422,
            "invalid-idempotency-key",
            "The Idempotency-Key must be a UUID or 16 to 64 visible characters.",
        )
    return value


def checked_token(value: str) -> str | None:
    """A guest's token, or None for something that cannot be one."""
    return value if TOKEN.fullmatch(value) else None
