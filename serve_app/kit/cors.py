"""Which other origins' pages may read what the shop answers (WHATWG Fetch, CORS)."""

from collections.abc import Iterable

MAX_AGE_SECONDS = 600

_METHODS = b"GET, POST, PUT, PATCH, DELETE"
_ASKED_WITH = (
    b"Authorization, Content-Type, Cache-Control, Idempotency-Key, If-Match, "
    b"If-None-Match, Last-Event-ID, Traceparent, X-Cart-Token, X-Order-Token, "
    b"X-Request-Id"
)
_SHOWN = (
    b"X-Request-Id, ETag, Location, RateLimit, RateLimit-Policy, Retry-After, "
    b"X-Cart-Token"
)

Headers = tuple[tuple[bytes, bytes], ...]


class Cors:
    """Headers for origins, all made beforehand; an origin that is not known gets none.

    An answer differs by origin, and so says `Vary: Origin`, as soon as there is an
    origin to answer at all. Cookies of the shop's own site may be sent along: that is
    why each origin is named in full.
    """

    def __init__(self, origins: Iterable[str] = ()) -> None:
        shown = (b"access-control-expose-headers", _SHOWN)
        asked = (
            (b"access-control-allow-methods", _METHODS),
            (b"access-control-allow-headers", _ASKED_WITH),
            (b"access-control-max-age", str(MAX_AGE_SECONDS).encode()),
        )
        self._answers: dict[bytes, Headers] = {}
        self._preflights: dict[bytes, Headers] = {}
        for origin in origins:
            named = (
                (b"access-control-allow-origin", origin.encode()),
                (b"access-control-allow-credentials", b"true"),
            )
            self._answers[origin.encode()] = (*named, shown)
            self._preflights[origin.encode()] = (*named, *asked)
        self.varies = bool(self._answers)

    def headers(self, origin: bytes) -> Headers:
        """What an answer to a page of this origin carries besides."""
        return self._answers.get(origin, ())

    def preflight(self, origin: bytes) -> Headers:
        """What a browser is told that asks whether it may ask; nothing: it may not."""
        return self._preflights.get(origin, ())
