"""Bytes on their way out: piece by piece, whole or a range, or not at all (304)."""

import re
from collections.abc import AsyncIterator

import msgspec
from starlette.responses import Response, StreamingResponse

from bus.files import DOCUMENT_TYPE, Content, GetContent
from bus.kit.refusals import Unavailable
from bus.kit.values import Value
from serve_app.kit.answers import matches
from serve_app.kit.problems import Problem
from serve_app.kit.routing import ask
from serve_app.kit.shields import API_POLICY

AGE_SECONDS = 365 * 24 * 3600
DIGITS_MAX = 18
NOWHERE = 1 << 62
READ_SECONDS_MAX = 25.0
_RANGE = re.compile(r"bytes=(?:([0-9]+)-([0-9]*)|-([0-9]+))", re.ASCII)
_SANDBOX = f"{API_POLICY}; sandbox"


class Wish(Value, frozen=True):
    """What the request's head says of the bytes that it wants."""

    if_none_match: str | None = None
    range: str | None = None
    if_range: str | None = None


class Span(Value, frozen=True):
    """The one range that is asked for; a negative `first` counts from the end."""

    first: int
    last: int | None = None


async def deliver(query: GetContent, wish: Wish) -> Response:
    """Answer with the content, or as much of it as is wished (RFC 9110 §13.2, §14).

    The first piece comes with what the whole is; the others follow while the client
    reads.
    """
    if wish.if_none_match is not None:
        known = await _ask(msgspec.structs.replace(query, bytes_max=0))
        if known.location is None and matches(wish.if_none_match, _tag(known)):
            return Response(None, 304, _headers(known))
    span = read_range(wish.range)
    if span is not None and wish.if_range is not None:
        known = await _ask(msgspec.structs.replace(query, bytes_max=0))
        # Compared strongly; a date, or a weak tag, is none of ours (§13.1.5).
        span = span if wish.if_range.strip() == _tag(known) else None
    first = 0 if span is None else span.first
    content = await _ask(msgspec.structs.replace(query, offset=first))
    if content.location is not None:
        headers = {"Location": content.location, "Cache-Control": "private, no-store"}
        return Response(None, 307, headers)
    headers = _headers(content)
    if span is None:
        return _response(query, content, content.size_bytes, 200, headers)
    total = content.size_bytes
    end = total if span.last is None else min(span.last + 1, total)
    if content.offset >= end:
        unmet = {"Content-Range": f"bytes */{total}"}
        detail = f"There are {total} bytes."
        raise Problem(416, "range-not-satisfiable", detail, headers=unmet)
    headers["Content-Range"] = f"bytes {content.offset}-{end - 1}/{total}"
    return _response(query, content, end, 206, headers)


def read_range(header: str | None) -> Span | None:
    """The range that a header asks for; None: the whole.

    What is no range of bytes, runs backwards, or names several is passed over, as
    RFC 9110 §14.2 lets a server do.
    """
    match = _RANGE.fullmatch((header or "").strip().lower())
    if match is None or max(map(len, filter(None, match.groups()))) > DIGITS_MAX:
        return None
    if match[3] is not None:
        length = int(match[3])
        # The last 0 bytes are no bytes: beyond any end.
        return Span(-length) if length else Span(NOWHERE)
    first, last = int(match[1]), int(match[2]) if match[2] else None
    return None if last is not None and last < first else Span(first, last)


def _response(
    query: GetContent, content: Content, end: int, status: int, headers: dict[str, str]
) -> Response:
    data = content.data[: end - content.offset]
    media_type = content.media_type
    if content.offset + len(data) >= end:
        return Response(data, status, headers, media_type)
    headers["Content-Length"] = str(end - content.offset)
    pieces = _pieces(query, content, data, end)
    return StreamingResponse(pieces, status, headers, media_type)


async def _pieces(
    query: GetContent, content: Content, data: bytes, end: int
) -> AsyncIterator[bytes]:
    """All pieces; who was let in for the first gets the rest, should a link expire.

    When one does not come the connection ends short of its length, which is how a
    client sees that something is missing (and goes on from there by a range).
    """
    rest = msgspec.structs.replace(query, viewer_is_admin=True)
    offset = content.offset
    while True:
        yield data
        offset += len(data)
        if offset >= end:
            return
        piece = await _ask(msgspec.structs.replace(rest, offset=offset))
        if piece.etag != content.etag or not piece.data:
            raise Unavailable("the file ends before its end")
        data = piece.data[: end - offset]


async def _ask(query: GetContent) -> Content:
    return await ask(query, timeout_seconds=READ_SECONDS_MAX)


def _tag(content: Content) -> str:
    return f'"{content.etag}"'


def _headers(content: Content) -> dict[str, str]:
    age = f"public, max-age={AGE_SECONDS}, immutable"
    headers = {
        "ETag": _tag(content),
        "Cache-Control": age if content.public else "private, no-store",
        "Accept-Ranges": "bytes",
    }
    if content.media_type == DOCUMENT_TYPE:
        headers["Content-Disposition"] = 'attachment; filename="document.pdf"'
        headers["Content-Security-Policy"] = _SANDBOX
    return headers
