"""The ends of an ask that are not its reply."""

import enum
from typing import Any

from bus.kit.values import Value


class RefusalKind(enum.StrEnum):
    """Why a request was refused; the edge has one table from kind to HTTP status."""

    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    PAYMENT_REQUIRED = "payment-required"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not-found"
    CONFLICT = "conflict"
    STALE = "stale"
    TOO_LARGE = "too-large"
    UNSUPPORTED = "unsupported"
    TOO_MANY = "too-many"


STATUS: dict[RefusalKind, int] = {
    RefusalKind.INVALID: 422,
    RefusalKind.UNAUTHENTICATED: 401,
    RefusalKind.PAYMENT_REQUIRED: 402,
    RefusalKind.FORBIDDEN: 403,
    RefusalKind.NOT_FOUND: 404,
    RefusalKind.CONFLICT: 409,
    RefusalKind.STALE: 412,
    RefusalKind.TOO_LARGE: 413,
    RefusalKind.UNSUPPORTED: 415,
    RefusalKind.TOO_MANY: 429,
}
"""The one table from kind to HTTP status, for HTTP and for NATS services."""


class FieldError(Value, frozen=True):
    """One field (or line) that is wrong, as in the `errors` of a problem document."""

    field: str
    code: str
    detail: str = ""


class RefusalData(Value, frozen=True, array_like=True):
    """A refusal as it crosses between processes and rests in a handled row."""

    kind: RefusalKind
    code: str
    detail: str = ""
    errors: tuple[FieldError, ...] = ()
    facts: dict[str, Any] = {}


class Refusal(Exception):
    """A domain's «no»: nothing was changed.

    `code` is stable and kebab-case; `facts` are ids and numbers that the caller may
    need (the order that was left cancelled), never anything of a person.
    """

    def __init__(
        self,
        kind: RefusalKind,
        code: str,
        detail: str = "",
        errors: tuple[FieldError, ...] = (),
        **facts: Any,
    ) -> None:
        super().__init__(code)
        self.data = RefusalData(kind, code, detail, errors, facts)

    @classmethod
    def of(cls, data: RefusalData) -> "Refusal":
        """The refusal that `data` describes."""
        return cls(data.kind, data.code, data.detail, data.errors, **data.facts)

    @property
    def code(self) -> str:
        """The stable code, such as `out-of-stock`."""
        return self.data.code

    def __reduce__(self) -> Any:
        return (Refusal.of, (self.data,))


class Unavailable(Exception):
    """The request never began; asking again is safe (HTTP 503)."""


class Unknown(Exception):
    """The request may have happened; ask again with the same id (HTTP 504)."""


class Failed(Exception):
    """A bug at the other side, logged there with the command's id (HTTP 500)."""


ENDS = (Refusal, Unavailable, Unknown, Failed)
"""All that an ask can end in besides its reply."""


def invalid(code: str, detail: str = "", *errors: FieldError) -> Refusal:
    """Refused because of what the request says (422)."""
    return Refusal(RefusalKind.INVALID, code, detail, errors)


def not_found(what: str) -> Refusal:
    """Refused because there is no such thing, or none that the caller may see."""
    return Refusal(RefusalKind.NOT_FOUND, "not-found", f"No such {what}.")


def forbidden(detail: str = "Not yours.") -> Refusal:
    """Refused because of who asks."""
    return Refusal(RefusalKind.FORBIDDEN, "forbidden", detail)


def conflict(code: str, detail: str = "", *errors: FieldError) -> Refusal:
    """Refused because of how things stand (409)."""
    return Refusal(RefusalKind.CONFLICT, code, detail, errors)


def stale() -> Refusal:
    """Refused because the resource has moved on since it was read (412)."""
    return Refusal(RefusalKind.STALE, "version-mismatch", "The resource has changed.")
