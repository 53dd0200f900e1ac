"""What routes answer: views as JSON, with their version, place and age."""

import hashlib
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from fastapi import Depends, Header, Query
from starlette.responses import Response

from bus.kit.refusals import FieldError
from bus.kit.values import LIMIT_DEFAULT, LIMIT_MAX, Done
from serve_app.kit.problems import Problem

View = TypeVar("View")

CURSOR_MAX = 512
_ETAG = re.compile(r'(?:W/)?"([0-9]{1,18})(?:-[0-9a-f]+)?"')
_encoder = msgspec.json.Encoder()


class Answer(Generic[View]):
    """A view with another status than the route's, or with headers of its own."""

    __slots__ = ("headers", "status", "view")

    def __init__(
        self,
        view: View | None = None,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.view = view
        self.status = status
        self.headers = dict(headers or {})


def created(view: View, location: str, **headers: str) -> Answer[View]:
    """201: `location` is the new resource's path, such as `/orders/…`."""
    return Answer(view, 201, {"Location": location, **headers})


def accepted(view: View | None = None, location: str | None = None) -> Answer[View]:
    """202: the work goes on; the view, if any, says how far it is."""
    return Answer(view, 202, {"Location": location} if location else {})


def no_content() -> Answer[None]:
    """204: done, and nothing to tell."""
    return Answer(None, 204)


def respond(result: Any, status: int) -> Response:
    """The HTTP response to what a route returned.

    A Response passes as it is; None and Done have no body. A view with a `version`
    gets an ETag that begins with it, so that it can be sent back as If-Match.
    """
    if isinstance(result, Response):
        return result
    headers: dict[str, str] = {}
    if isinstance(result, Answer):
        headers, status = result.headers, result.status or status
        result = result.view
    if result is None or isinstance(result, Done):
        return Response(None, 204 if status == 200 else status, headers)
    if getattr(result, "next_cursor", None):
        result = msgspec.structs.replace(
            result, next_cursor=opaque_cursor(result.next_cursor)
        )
    body = _encoder.encode(result)
    version = getattr(result, "version", None)
    if isinstance(version, int):
        headers.setdefault("ETag", etag(version, body))
    headers.setdefault("Cache-Control", "no-store")
    return Response(body, status, headers, "application/json")


def etag(version: int | None, body: bytes) -> str:
    """A strong validator: the version, if there is one, and a hash of the bytes."""
    digest = hashlib.blake2b(body, digest_size=8).hexdigest()
    return f'"{digest}"' if version is None else f'"{version}-{digest}"'


def matches(if_none_match: str, tag: str) -> bool:
    """True if the client already has this answer (RFC 9110 §13.1.2)."""
    if if_none_match.strip() == "*":
        return True
    opaque = tag.removeprefix("W/")
    return any(
        candidate.strip().removeprefix("W/") == opaque
        for candidate in if_none_match.split(",")
    )


def _expected_version(
    if_match: Annotated[
        str | None,
        Header(description="The `ETag` that was read; an old one is answered 412."),
    ] = None,
) -> int | None:
    if if_match is None or if_match.strip() == "*":
        return None
    found = _ETAG.fullmatch(if_match.strip())
    if found is None:
        raise Problem(412, "version-mismatch", "If-Match holds no ETag of this shop.")
    return int(found[1])


ExpectedVersion = Annotated[int | None, Depends(_expected_version)]
"""A route's parameter of this type is the version in If-Match; None: any will do."""


class Paging(msgspec.Struct, frozen=True):
    """Which part of a list is asked for; `cursor` is as the domain gave it."""

    limit: int = LIMIT_DEFAULT
    cursor: str | None = None


def _paging(
    limit: Annotated[
        int, Query(ge=1, le=LIMIT_MAX, description="How many items at most.")
    ] = LIMIT_DEFAULT,
    cursor: Annotated[
        str | None,
        Query(max_length=CURSOR_MAX * 2, description="`next_cursor` of the last page."),
    ] = None,
) -> Paging:
    return Paging(limit, None if cursor is None else plain_cursor(cursor))


Pages = Annotated[Paging, Depends(_paging)]
"""A route's parameter of this type is the checked `limit` and `cursor`."""


def opaque_cursor(cursor: str) -> str:
    """A domain's cursor as clients see it."""
    return urlsafe_b64encode(cursor.encode()).decode().rstrip("=")


def plain_cursor(cursor: str) -> str:
    """The inverse of `opaque_cursor`; raises Problem 422 for one that we never gave."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        plain = urlsafe_b64decode(padded).decode()
    except ValueError:
        plain = ""
    # Decoding is lenient; a cursor is good only as it was given.
    altered = opaque_cursor(plain) != cursor
    if altered or not plain or "\x00" in plain or len(plain) > CURSOR_MAX:
        raise Problem(
            422,
            "invalid-cursor",
            "The cursor is not one of this list.",
            [FieldError("cursor", "invalid-cursor")],
        )
    return plain
