"""Problem documents (RFC 9457): the one form of an error, over HTTP and over NATS."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from bus.kit.refusals import FieldError

ERRORS_MAX = 50


def problem_document(
    status: int,
    code: str,
    detail: str = "",
    errors: Sequence[FieldError] = (),
    *,
    request_id: str | None = None,
    facts: Mapping[str, Any] | None = None,
) -> bytes:
    """The document as JSON; a fact never replaces a standard member."""
    title = code.replace("-", " ").capitalize()
    return msgspec.json.encode(
        {
            **(facts or {}),
            "type": f"urn:souk:problem:{code}",
            "title": title,
            "status": status,
            "detail": detail or HTTPStatus(status).description or f"{title}.",
            "code": code,
            "errors": list(errors[:ERRORS_MAX]),
            "request_id": request_id,
        }
    )
