"""Errors as problem documents (RFC 9457), and the one table from refusal to status."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from bus.kit.problems import ERRORS_MAX, problem_document
from bus.kit.refusals import (
    STATUS,
    Failed,
    FieldError,
    Refusal,
    RefusalKind,
    Unavailable,
    Unknown,
)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 1


class Problem(Exception):
    """What the gateway itself answers instead of the resource.

    `code` is stable and kebab-case; `facts` become members of the document.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str = "",
        errors: Sequence[FieldError] = (),
        *,
        headers: Mapping[str, str] | None = None,
        **facts: Any,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors
        self.headers = dict(headers or {})
        self.facts = facts

    def document(self, request_id: str | None) -> bytes:
        """The problem document as JSON; a fact never replaces a standard member."""
        return problem_document(
            self.status,
            self.code,
            self.detail,
            self.errors,
            request_id=request_id,
            facts=self.facts,
        )

    def response(self, request_id: str | None) -> Response:
        """The answer that carries the document."""
        return Response(
            self.document(request_id), self.status, self.headers, MEDIA_TYPE
        )


def problem_of(error: Exception) -> Problem | None:
    """The problem that an ask's end stands for; None when `error` is a bug."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, Refusal):
        return _refused(error)
    if isinstance(error, Unavailable):
        return unavailable()
    if isinstance(error, Unknown):
        return Problem(
            504,
            "outcome-unknown",
            "It may have happened. Ask again with the same Idempotency-Key.",
        )
    if isinstance(error, Failed):
        return internal_error()
    return None


def unavailable(detail: str = "The shop is busy. Nothing was done.") -> Problem:
    """Nothing was begun; asking again is safe."""
    return Problem(
        503, "unavailable", detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)}
    )


def unauthenticated(code: str, detail: str) -> Problem:
    """Who asks is not known (RFC 6750 says how the header looks)."""
    challenge = 'Bearer realm="souk"'
    if code == "invalid-token":
        challenge += ', error="invalid_token"'
    return Problem(401, code, detail, headers={"WWW-Authenticate": challenge})


def internal_error() -> Problem:
    """A bug; its details are in the log, under the request's id."""
    return Problem(500, "internal-error", "Something went wrong on our side.")


def field_errors(errors: Sequence[Mapping[str, Any]]) -> list[FieldError]:
    """Pydantic's findings as the `errors` of a document, without the values."""
    return [
        FieldError(
            ".".join(str(part) for part in _where(error["loc"])),
            _CODES.get(error["type"], error["type"].replace("_", "-")),
            error["msg"].removeprefix("Value error, "),
        )
        for error in errors[:ERRORS_MAX]
    ]


def _where(location: Sequence[int | str]) -> Sequence[int | str]:
    """The field alone: `body`, `query` and their like are not part of its name."""
    first = location[0] if location else ""
    in_request = first in ("body", "query", "header", "cookie", "path")
    return location[1:] if in_request and len(location) > 1 else location


_CODES = {
    "missing": "required",
    "extra_forbidden": "unknown-field",
    "string_pattern_mismatch": "malformed",
    "value_error": "invalid",
}


def _refused(refusal: Refusal) -> Problem:
    data = refusal.data
    facts = {name: value for name, value in data.facts.items() if value is not None}
    headers = {}
    if data.kind is RefusalKind.TOO_MANY:
        seconds = facts.get("retry_after_seconds", RETRY_AFTER_SECONDS)
        headers["Retry-After"] = str(math.ceil(seconds))
    if data.kind is RefusalKind.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = 'Bearer realm="souk"'
    problem = Problem(STATUS[data.kind], data.code, data.detail, data.errors)
    problem.headers, problem.facts = headers, facts
    return problem
