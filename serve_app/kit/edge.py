"""The outermost layer: it bounds, knows, answers from near, and measures.

Ray Serve puts it outside its own bookkeeping (`serve_app.kit.outermost`), so
what is answered here costs a fraction of what a routed request costs.
"""

import math
from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bus.kit import logs, traces
from bus.kit.audit import GUEST
from bus.kit.context import CURRENT, Context
from serve_app.kit.answers import matches
from serve_app.kit.asking import ASKER
from serve_app.kit.caller import CALLER, Caller, checked_token
from serve_app.kit.exchange import Exchange, Meter
from serve_app.kit.facts import FACTS
from serve_app.kit.failing import as_problem
from serve_app.kit.gateway import Gateway
from serve_app.kit.heads import RequestHead
from serve_app.kit.identity import TOKENS, Identity, bearer
from serve_app.kit.limits import UNLIMITED
from serve_app.kit.near_cache import Entry
from serve_app.kit.problems import Problem, internal_error, unavailable
from serve_app.kit.sending import TooSlow
from serve_app.kit.streams import ACCESS_COOKIE, ORDER_COOKIE, cookies_of

PACED_SHARE_MAX = 0.75

# Paths that Serve and HAProxy ask a replica themselves.
SERVE_PATHS = frozenset({"/-/healthz", "/-/routes"})

# Serve then awaits the answer instead of watching for a disconnect in a second task.
# What a client began is done to its end, whether or not it still listens.
_NO_WATCH = (b"x-request-disconnect-disabled", b"?1")

_HEALTH: Scope = {
    "type": "http",
    "method": "GET",
    "path": "/-/healthz",
    "raw_path": b"/-/healthz",
    "root_path": "",
    "query_string": b"",
    "headers": [],
}

_log = logs.get("gateway")


class Edge:
    """The middleware. `find` gives the process' gateway; None: there is none here.

    `around_serve` says that it stands around Serve's own handling, not within it.
    """

    def __init__(
        self,
        app: ASGIApp,
        find: Callable[[], Gateway | None],
        *,
        around_serve: bool = False,
    ) -> None:
        self._app = app
        self._find = find
        self._around_serve = around_serve

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
            return
        passed = scope["type"] != "http" or "souk.caller" in scope
        if passed or scope["path"] in SERVE_PATHS:
            await self._app(scope, receive, send)
            return
        head = RequestHead.read(scope["headers"])
        parent = head.traceparent if head.is_traced else None
        span = traces.begin(scope["method"], "server", parent, root=True)
        trace = span.traceparent or head.traceparent
        caller = Caller(request_id=head.request_id, traceparent=trace)
        scope["headers"] = [*head.kept, (b"x-request-id", head.request_id.encode())]
        scope["souk.caller"] = caller
        gateway = self._find()
        measures = None if gateway is None else gateway.measures
        exchange = Exchange(scope, send, caller, measures, span)
        if gateway is None:
            await exchange.problem(unavailable("The shop is starting."))
            return
        exchange.shields = gateway.shields
        if gateway.cors.varies and await _cross_origin(gateway, head, exchange):
            return
        stream = gateway.streams.route_of(scope)
        if stream is not None:
            exchange.streams = True
            await _finish(
                exchange, self._stream(gateway, stream, head, exchange, receive)
            )
            return
        await self._answer(gateway, head, exchange, receive)

    async def _answer(
        self, gateway: Gateway, head: RequestHead, exchange: Exchange, receive: Receive
    ) -> None:
        measures, scope = gateway.measures, exchange.scope
        admission = gateway.admissions.get((scope["method"], scope["path"]))
        place = None
        if measures.in_flight < _room(gateway, scope["path"], paced=bool(admission)):
            place = admission.enter() if admission else 0
        if place is None:
            measures.refused_busy += 1
            await exchange.problem(unavailable())
            return
        measures.in_flight += 1
        try:
            await _finish(exchange, self._serve(gateway, head, exchange, receive))
        finally:
            measures.in_flight -= 1
            if admission:
                admission.leave(place, done=200 <= exchange.status < 300)

    async def _serve(
        self, gateway: Gateway, head: RequestHead, exchange: Exchange, receive: Receive
    ) -> None:
        caller, scope = exchange.caller, exchange.scope
        await _begin(gateway, head, exchange)
        if scope["method"] == "GET" and not caller.is_staff and not head.no_cache:
            key = scope["path"].encode() + b"?" + scope["query_string"]
            entry = gateway.near.get(key)
            if entry is not None:
                gateway.measures.near_hits += 1
                await _answer_near(exchange, entry, head.if_none_match)
                return
            exchange.keep_near(gateway.near, key)
        exchange.if_none_match = head.if_none_match
        settings = gateway.settings
        meter = Meter(
            receive,
            head.content_length,
            settings.body_bytes_max,
            settings.upload_bytes_max,
        )
        scope["souk.meter"] = meter
        direct = gateway.direct.get((scope["method"], scope["path"]))
        if direct is not None:
            await direct(scope, meter, exchange.send)
            return
        scope["headers"].append(_NO_WATCH)
        await self._app(scope, meter, exchange.send)
        if not exchange.started:
            raise internal_error()

    async def _stream(
        self,
        gateway: Gateway,
        app: ASGIApp,
        head: RequestHead,
        exchange: Exchange,
        receive: Receive,
    ) -> None:
        """Answer a stream here, where it takes no request's place.

        A browser's EventSource sends no headers of its own, so here alone the tokens
        may come as cookies: a GET that changes nothing is all that these can do.
        """
        cookies = cookies_of(exchange.scope)
        if not head.authorization and (token := cookies.get(ACCESS_COOKIE)):
            head.authorization = f"Bearer {token}"
        head.order_token = head.order_token or cookies.get(ORDER_COOKIE, "")
        identity = await _begin(gateway, head, exchange)
        drains = self._drains if self._around_serve else None
        async with gateway.streams.place(exchange.scope, identity, drains) as stream:
            exchange.scope["souk.stream"] = stream
            await app(exchange.scope, receive, exchange.send)
        if stream.ended == "slow":
            exchange.cut()

    async def _drains(self) -> bool:
        """Whether Serve is ending this replica: its own health answer says so."""
        statuses: list[int] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        try:
            await self._app(dict(_HEALTH), receive, send)
        except Exception:  # noqa: BLE001 - whatever it is, it is Serve's: ask no more
            self._around_serve = False
            _log.exception("Serve did not say how it is")
        return statuses == [503]


def _room(gateway: Gateway, path: str, *, paced: bool) -> float:
    """How many requests may be under way for one more of this kind to be taken.

    Orders that wait for a slow bank leave room for those who read, and what watches
    the shop is always answered.
    """
    if path in UNLIMITED:
        return math.inf
    most = gateway.settings.gateway_ongoing_max
    return most * PACED_SHARE_MAX if paced else most


async def _finish(exchange: Exchange, answering: Awaitable[None]) -> None:
    """Wait for the answer; what goes wrong becomes a problem document."""
    try:
        await answering
    except Problem as problem:
        await exchange.problem(problem)
    except TooSlow as error:
        exchange.cut()
        _log.warning(
            "reader cut off", route=exchange.scope.get("souk.template"), why=str(error)
        )
    except Exception as error:
        exchange.log_bug()
        if exchange.started:
            raise
        await exchange.problem(as_problem(error))
    finally:
        exchange.finish()


async def _cross_origin(
    gateway: Gateway, head: RequestHead, exchange: Exchange
) -> bool:
    """Answer a preflight of an origin that may ask; True if that was all."""
    cors, scope = gateway.cors, exchange.scope
    exchange.varies = True
    asks = scope["method"] == "OPTIONS" and any(
        name == b"access-control-request-method" for name, _ in scope["headers"]
    )
    if not asks:
        exchange.origin_headers = cors.headers(head.origin)
        return False
    allowed = cors.preflight(head.origin)
    if not allowed:
        return False
    scope["souk.template"] = "preflight"
    start = {"type": "http.response.start", "status": 204, "headers": [*allowed]}
    await exchange.send(start)
    await exchange.send({"type": "http.response.body", "body": b""})
    exchange.finish()
    return True


async def _begin(
    gateway: Gateway, head: RequestHead, exchange: Exchange
) -> Identity | None:
    """Tell those further in who asks; raises Problem for a request that is none."""
    caller, scope = exchange.caller, exchange.scope
    CURRENT.set(Context(caller.request_id, caller.traceparent, GUEST))
    CALLER.set(caller)
    ASKER.set(gateway.asker)
    TOKENS.set(gateway.tokens)
    FACTS.set(gateway.facts)
    client = scope["souk.client"] = gateway.clients.of(scope, head.forwarded)
    counted = exchange.counted = gateway.limits.begin(scope["method"], scope["path"])
    gateway.limits.count_address(counted, client)
    identity = await _identify(gateway, head, caller)
    if identity is not None:
        actor = str(identity.user_id)
        CURRENT.set(Context(caller.request_id, caller.traceparent, actor))
    gateway.limits.count_caller(counted, client, caller.user_id)
    if head.nul_in_query(scope["query_string"]) or "\x00" in scope["path"]:
        raise Problem(422, "invalid-request", "NUL is not allowed.")
    return identity


async def _identify(
    gateway: Gateway, head: RequestHead, caller: Caller
) -> Identity | None:
    """Fill in who asks; raises Problem 401 for a token that is not good."""
    if head.cart_token:
        caller.cart_token = checked_token(head.cart_token)
    if head.order_token:
        caller.order_token = checked_token(head.order_token)
    if not head.authorization:
        return None
    identity = gateway.tokens.verify(bearer(head.authorization))
    await gateway.epochs.check(identity)
    caller.user_id = identity.user_id
    caller.role = identity.role
    caller.session_id = identity.session_id
    return identity


async def _answer_near(exchange: Exchange, entry: Entry, if_none_match: str) -> None:
    exchange.scope["souk.template"] = "near"
    status, body, headers = 200, entry.body, entry.headers
    if if_none_match and matches(if_none_match, entry.etag):
        status, body = 304, b""
        headers = [each for each in headers if each[0] in (b"etag", b"cache-control")]
    await exchange.send(
        {"type": "http.response.start", "status": status, "headers": headers}
    )
    await exchange.send({"type": "http.response.body", "body": body})
