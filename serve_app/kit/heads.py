"""A request's head, read once: what the gateway needs, and what it lets pass."""

import os
import re
from typing import Self

import msgspec

from bus.kit.addressing import new_id

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{8,64}")
_TRACEPARENT = re.compile(
    rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)

# More digits no body has, and Python refuses to read many more.
_LENGTH = re.compile(rb"[0-9]{1,18}")

# Headers by which a client could steer Ray Serve: time-outs, routing, sessions.
_SERVE_HEADERS = frozenset(
    {
        b"x-request-id",
        b"x-request-timeout-seconds",
        b"x-request-disconnect-disabled",
        b"x-session-id",
        b"serve-multiplexed-model-id",
    }
)
_SERVE_PREFIX = b"x-serve-"

Headers = list[tuple[bytes, bytes]]


class RequestHead(msgspec.Struct):
    """The headers that the gateway looks at; an absent one is empty.

    `is_traced`: the client brought its `traceparent` along.
    """

    kept: Headers
    request_id: str
    traceparent: str
    is_traced: bool
    authorization: str
    cart_token: str
    order_token: str
    if_none_match: str
    origin: bytes
    forwarded: tuple[bytes, ...]
    no_cache: bool
    content_length: int | None

    @classmethod
    def read(cls, headers: Headers) -> Self:
        """The head that these headers say; a strange request id is replaced."""
        found: dict[bytes, bytes] = {}
        kept: Headers = []
        for header in headers:
            name = header[0]
            found[name] = header[1]
            if name.replace(b"_", b"-") not in _SERVE_HEADERS and not name.startswith(
                _SERVE_PREFIX
            ):
                kept.append(header)
        get = found.get
        length = get(b"content-length", b"")
        trace = _trace(get(b"traceparent", b""))
        return cls(
            kept,
            _request_id(get(b"x-request-id", b"")),
            trace or _new_trace(),
            bool(trace),
            get(b"authorization", b"").decode("latin-1"),
            get(b"x-cart-token", b"").decode("latin-1"),
            get(b"x-order-token", b"").decode("latin-1"),
            get(b"if-none-match", b"").decode("latin-1"),
            get(b"origin", b""),
            _forwarded(headers, found),
            b"no-cache" in get(b"cache-control", b""),
            int(length) if _LENGTH.fullmatch(length) else None,
        )

    @staticmethod
    def nul_in_query(query: bytes) -> bool:
        """True if the query holds an escaped NUL."""
        return b"%00" in query


def _forwarded(headers: Headers, found: dict[bytes, bytes]) -> tuple[bytes, ...]:
    """Every `X-Forwarded-For`, in order; most heads name nothing twice."""
    last = found.get(b"x-forwarded-for")
    if last is None:
        return ()
    if len(found) == len(headers):
        return (last,)
    return tuple(value for name, value in headers if name == b"x-forwarded-for")


def _request_id(given: bytes) -> str:
    return given.decode() if _REQUEST_ID.fullmatch(given) else str(new_id())


def _trace(given: bytes) -> str:
    """The client's trace; "" where it has none."""
    return given.decode() if _TRACEPARENT.fullmatch(given) else ""


def _new_trace() -> str:
    """One that nobody samples."""
    digits = os.urandom(24).hex()
    return f"00-{digits[:32]}-{digits[32:]}-00"
