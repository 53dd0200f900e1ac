"""One request on its way in and its answer on its way out."""

import time
from typing import Any

from fastapi.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from bus.kit import logs
from bus.kit.request_lines import LINES, RequestLine
from bus.kit.traces import NO_SPAN, Span
from serve_app.kit.answers import matches
from serve_app.kit.caller import Caller
from serve_app.kit.limits import Counted
from serve_app.kit.measures import Measures
from serve_app.kit.near_cache import Headers, NearCache
from serve_app.kit.problems import MEDIA_TYPE, Problem
from serve_app.kit.sending import cut, send_body
from serve_app.kit.shields import (
    CROSS_ORIGIN,
    DEFAULT,
    NO_STORE,
    POLICY,
    SAME_ORIGIN,
    Shields,
)

SLOW_SECONDS = 2.0
# A form's own lines around the file that it carries.
FORM_BYTES_MAX = 64 << 10

_VARY = (b"vary", b"Origin")
_log = logs.get("gateway")


class BodyTooLarge(HTTPException):
    """More bytes came than the route takes; FastAPI lets this kind pass."""

    def __init__(self) -> None:
        # What is still under way is not worth reading.
        super().__init__(413, headers={"Connection": "close"})


class Meter:
    """Counts a body as it comes; raises BodyTooLarge past the limit."""

    def __init__(
        self, receive: Receive, length: int | None, bytes_max: int, upload_max: int
    ) -> None:
        self._receive = receive
        self._length = length
        self._bytes_max = bytes_max
        self._upload_max = upload_max
        self._bytes = 0

    def lift(self) -> None:
        """The route takes a file."""
        self._bytes_max = self._upload_max + FORM_BYTES_MAX

    async def __call__(self) -> Message:
        """The next part of the body."""
        if self._length is not None and self._length > self._bytes_max:
            raise BodyTooLarge
        message = await self._receive()
        if message["type"] == "http.request":
            self._bytes += len(message.get("body", b""))
            if self._bytes > self._bytes_max:
                raise BodyTooLarge
        return message


class Exchange:
    """Sends the answer with the headers that all answers have, and takes its time."""

    __slots__ = (
        "_answered_at",
        "_began_at",
        "_kept_headers",
        "_measures",
        "_muted",
        "_near",
        "_near_began_at",
        "_near_key",
        "_send",
        "_span",
        "caller",
        "counted",
        "if_none_match",
        "origin_headers",
        "scope",
        "shields",
        "started",
        "status",
        "streams",
        "varies",
    )

    def __init__(
        self,
        scope: Scope,
        send: Send,
        caller: Caller,
        measures: Measures | None,
        span: Span = NO_SPAN,
    ) -> None:
        self.scope = scope
        self.caller = caller
        self.if_none_match = ""
        self.counted: Counted | None = None
        self.shields: Shields = DEFAULT
        self.origin_headers: Shields = ()
        self.varies = False
        self.started = False
        self.status = 0
        self._send = send
        self._measures = measures
        self._span = span
        self._muted = False
        self._near: NearCache | None = None
        self._near_key = b""
        self._near_began_at = 0.0
        self.streams = False
        self._kept_headers: Headers = []
        self._began_at = self._answered_at = time.perf_counter()

    def keep_near(self, near: NearCache, key: bytes) -> None:
        """If the route allows, keep the answer under `key`."""
        self._near, self._near_key, self._near_began_at = near, key, near.now()

    async def send(self, message: Message) -> None:
        """Pass one part of the answer on."""
        if message["type"] == "http.response.start":
            self._begin(message)
        elif message["type"] == "http.response.body":
            if self._near is not None and "souk.keep" in self.scope:
                self._keep(self._near, message)
            if self._muted:
                message = {"type": "http.response.body", "body": b""}
            if not self.streams:  # these have a time of their own
                await send_body(self._send, message)
                return
        await self._send(message)

    def cut(self) -> None:
        """End the connection: its reader is too slow."""
        cut(self._send)

    async def problem(self, problem: Problem) -> None:
        """Answer with a problem document, if nothing was answered yet."""
        if self.started:
            return
        body = problem.document(self.caller.request_id)
        headers = [
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            *(
                (name.lower().encode(), value.encode("latin-1"))
                for name, value in problem.headers.items()
            ),
        ]
        await self.send(
            {
                "type": "http.response.start",
                "status": problem.status,
                "headers": headers,
            }
        )
        await self.send({"type": "http.response.body", "body": body})

    def finish(self) -> None:
        """The answer is out: measure it, and log what is worth a line."""
        # What a stream's reader waits for is its head; how long it stays is no measure.
        ended_at = self._answered_at if self.streams else time.perf_counter()
        seconds = ended_at - self._began_at
        method = self.scope["method"]
        route = self.scope.get("souk.template", "none")
        if self._measures is not None:
            self._measures.record(method, route, self.status, seconds)
        self._trace(method, route)
        if method != "GET" or self.status >= 500 or seconds > SLOW_SECONDS:
            LINES.add(
                RequestLine(
                    at=time.time(),
                    method=method,
                    route=route,
                    status=self.status,
                    nanoseconds=round(seconds * 1e9),
                    request_id=self.caller.request_id,
                    traceparent=self.caller.traceparent,
                    user_id=self.caller.user_id,
                )
            )

    def _trace(self, method: str, route: str) -> None:
        """What the request's span says: the route, never the path or its query."""
        if self._span is NO_SPAN:
            return
        self._span.rename(f"{method} {route}")
        self._span.note(
            http_request_method=method,
            http_route=route,
            http_response_status__code=self.status,
            http_request_id=self.caller.request_id,
        )
        if self.status >= 500:
            self._span.fail(str(self.status))
        self._span.end()

    def log_bug(self) -> None:
        """An exception came through everything; say where."""
        _log.exception("request failed", route=self.scope.get("souk.template"))

    def _begin(self, message: Message) -> None:
        given: Headers = [
            (name.lower(), value) for name, value in message.get("headers", ())
        ]
        self.started = True
        self._answered_at = time.perf_counter()
        self.status = message["status"]
        self._kept_headers = given
        names = {name for name, _ in given}
        if self.if_none_match and self.status == 200 and b"etag" in names:
            tag = next(value for name, value in given if name == b"etag")
            if self.scope["method"] == "GET" and matches(
                self.if_none_match, tag.decode("latin-1")
            ):
                self.status, self._muted = 304, True
                given = [each for each in given if not each[0].startswith(b"content-")]
        headers = [each for each in given if each[0] != b"x-request-id"]
        headers += self._besides(given, names)
        headers.append((b"x-request-id", self.caller.request_id.encode()))
        message["headers"] = headers
        message["status"] = self.status

    def _besides(self, given: Headers, names: set[bytes]) -> Headers:
        """The headers that the gateway adds to every answer, whoever made it."""
        headers: Headers = [*self.shields]
        if b"content-security-policy" not in names:
            headers.append(POLICY)
        if b"cache-control" not in names:
            headers.append(NO_STORE)
        headers.append(CROSS_ORIGIN if _is_picture(given) else SAME_ORIGIN)
        if self.counted is not None:
            headers += self.counted.headers()
        headers += self.origin_headers
        if self.varies:
            headers.append(_VARY)
        return headers

    def _keep(self, near: NearCache, message: Message) -> None:
        age_seconds, tags = self.scope.pop("souk.keep")
        if message.get("more_body", False):
            return
        if self._measures is not None:
            self._measures.near_misses += 1
        etag = next(
            (value for name, value in self._kept_headers if name == b"etag"), b""
        )
        near.put(
            self._near_key,
            [each for each in self._kept_headers if each[0] != b"x-request-id"],
            _bytes(message.get("body", b"")),
            etag.decode("latin-1"),
            age_seconds=age_seconds,
            tags=tags,
            began_at=self._near_began_at,
        )


def _is_picture(headers: Headers) -> bool:
    for name, value in headers:
        if name == b"content-type":
            return value.startswith(b"image/")
    return False


def _bytes(body: Any) -> bytes:
    return bytes(body)
