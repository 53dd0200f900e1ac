"""One request over NATS: its body read strictly, its end as a document and headers."""

import hashlib
import re
from collections.abc import Iterator
from typing import Any, Self

import msgspec
import nats.errors

from bus.kit.addressing import new_id
from bus.kit.audit import SERVICE
from bus.kit.context import Context, checked_trace
from bus.kit.problems import problem_document
from bus.kit.refusals import STATUS, FieldError, Refusal, Unavailable, Unknown
from bus.kit.values import Value

REQUEST_BYTES_MAX = 256 * 1024
KEY_LENGTH_MIN = 16
KEY_LENGTH_MAX = 64
LOST = (nats.errors.Error, OSError, ValueError)

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{8,64}")
_PLACE = re.compile(r" - at `(?:key in )?\$\.?(.*?)`$")
_FIELD = re.compile(
    r"^Object (contains unknown|missing required) field `(.*?)`(?: - at `\$\.?(.*)`)?$"
)
_CODES = {"contains unknown": "unknown-field", "missing required": "required"}


class Incoming:
    """A request as it came; `traceparent` and `X-Request-Id` are taken over."""

    def __init__(self, subject: str, request: Any) -> None:
        self.subject = subject
        self.data: bytes = request.data
        self._request = request
        headers = request.headers or {}
        given = headers.get("X-Request-Id", "")
        self.context = Context(
            given if _REQUEST_ID.fullmatch(given) else str(new_id()),
            checked_trace(headers.get("traceparent")),
            SERVICE,
        )

    async def respond(
        self, body: bytes, headers: dict[str, str] | None, log: Any
    ) -> None:
        """Send the answer; who went away, or wants none, gets none."""
        try:
            await self._request.respond(body, headers=headers)
        except LOST as error:
            log.warning("answer-not-sent", subject=self.subject, error=repr(error))


class Rejected(Value, frozen=True, kw_only=True):
    """An end that is not a reply: the problem document and the headers of ADR-32."""

    status: int
    code: str
    body: bytes

    @property
    def headers(self) -> dict[str, str]:
        """The headers by which clients of NATS services know an error."""
        return {
            "Nats-Service-Error": self.code,
            "Nats-Service-Error-Code": str(self.status),
        }

    @classmethod
    def of(cls, error: Exception, request_id: str | None) -> Self:
        """What an error is answered with; a bug tells nothing of itself."""
        facts: dict[str, Any] = {}
        errors: tuple[FieldError, ...] = ()
        if isinstance(error, Refusal):
            data = error.data
            status, code, detail = STATUS[data.kind], data.code, data.detail
            errors, facts = data.errors, data.facts
        elif isinstance(error, msgspec.MsgspecError):
            status, code = 422, "invalid-request"
            detail, errors = "The body is not acceptable.", (field_error(str(error)),)
        elif isinstance(error, Unavailable):
            status, code = 503, "unavailable"
            detail = "The shop is busy. Nothing was done."
        elif isinstance(error, Unknown):
            status, code = 504, "outcome-unknown"
            detail = "It may have happened. Ask again with the same idempotency_key."
        else:
            status, code = 500, "internal-error"
            detail = "Something went wrong on our side."
        facts = {name: value for name, value in facts.items() if value is not None}
        body = problem_document(
            status, code, detail, errors, request_id=request_id, facts=facts
        )
        return cls(status=status, code=code, body=body)


def read(data: bytes, kind: Any) -> tuple[Any, bytes]:
    """The body, and a hash that is the same for bodies that say the same.

    Raises msgspec.MsgspecError for what its type does not take.
    """
    if len(data) > REQUEST_BYTES_MAX:
        raise msgspec.ValidationError("The request is too large")
    try:
        plain = msgspec.json.decode(data or b"{}")
    except RecursionError:
        raise msgspec.ValidationError("The body is nested too deeply") from None
    if any("\0" in text for text in _texts(plain)):
        raise msgspec.ValidationError("NUL is not allowed")
    body = msgspec.json.decode(data or b"{}", type=kind)
    key = getattr(body, "idempotency_key", None)
    if key is not None and not KEY_LENGTH_MIN <= len(key) <= KEY_LENGTH_MAX:
        raise msgspec.ValidationError(
            f"A key has {KEY_LENGTH_MIN} to {KEY_LENGTH_MAX} characters"
            " - at `$.idempotency_key`"
        )
    canonical = msgspec.json.encode(plain, order="deterministic")
    return body, hashlib.sha256(canonical).digest()


def field_error(said: str) -> FieldError:
    """What msgspec says of a body, as an entry of `errors`."""
    if found := _FIELD.match(said):
        inside = f"{found[3]}." if found[3] else ""
        return FieldError(f"{inside}{found[2]}", _CODES[found[1]], said)
    place = _PLACE.search(said)
    return FieldError(place[1] if place else "", "invalid", said)


def _texts(value: Any) -> Iterator[str]:
    """All texts in plain JSON values, names of members included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            yield name
            yield from _texts(each)
