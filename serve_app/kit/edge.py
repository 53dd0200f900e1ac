"""The outermost layer: it bounds, knows, answers from near, and measures.

Ray Serve puts it outside its own bookkeeping (`serve_app.kit.outermost`), so
what is answered here costs a fraction of what a routed request costs.
"""

from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from bus.kit.context import CURRENT, Context
from serve_app.kit.answers import matches
from serve_app.kit.asking import ASKER
from serve_app.kit.caller import CALLER, Caller, checked_token
from serve_app.kit.exchange import Exchange, Meter
from serve_app.kit.facts import FACTS
from serve_app.kit.failing import as_problem
from serve_app.kit.gateway import Gateway
from serve_app.kit.heads import RequestHead
from serve_app.kit.identity import TOKENS, bearer
from serve_app.kit.near_cache import Entry
from serve_app.kit.problems import Problem, internal_error, unavailable

# Paths that Serve and HAProxy ask a replica themselves.
SERVE_PATHS = frozenset({"/-/healthz", "/-/routes"})

# Serve then awaits the answer instead of watching for a disconnect in a second task.
# What a client began is done to its end, whether or not it still listens.
_NO_WATCH = (b"x-request-disconnect-disabled", b"?1")


class Edge:
    """The middleware. `find` gives the process' gateway; None: there is none here."""

    def __init__(self, app: ASGIApp, find: Callable[[], Gateway | None]) -> None:
        self._app = app
        self._find = find

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
        caller = Caller(request_id=head.request_id, traceparent=head.traceparent)
        scope["headers"] = [*head.kept, (b"x-request-id", head.request_id.encode())]
        scope["souk.caller"] = caller
        gateway = self._find()
        measures = None if gateway is None else gateway.measures
        exchange = Exchange(scope, send, caller, measures)
        if gateway is None:
            await exchange.problem(unavailable("The shop is starting."))
            return
        await self._answer(gateway, head, exchange, receive)

    async def _answer(
        self, gateway: Gateway, head: RequestHead, exchange: Exchange, receive: Receive
    ) -> None:
        measures, settings = gateway.measures, gateway.settings
        if measures.in_flight >= settings.gateway_ongoing_max:
            measures.refused_busy += 1
            await exchange.problem(unavailable())
            return
        measures.in_flight += 1
        try:
            await self._serve(gateway, head, exchange, receive)
        except Problem as problem:
            await exchange.problem(problem)
        except Exception as error:
            exchange.log_bug()
            if exchange.started:
                raise
            await exchange.problem(as_problem(error))
        finally:
            measures.in_flight -= 1
            exchange.finish()

    async def _serve(
        self, gateway: Gateway, head: RequestHead, exchange: Exchange, receive: Receive
    ) -> None:
        caller, scope = exchange.caller, exchange.scope
        CURRENT.set(Context(caller.request_id, caller.traceparent))
        CALLER.set(caller)
        ASKER.set(gateway.asker)
        TOKENS.set(gateway.tokens)
        FACTS.set(gateway.facts)
        await _identify(gateway, head, caller)
        if head.nul_in_query(scope["query_string"]) or "\x00" in scope["path"]:
            raise Problem(422, "invalid-request", "NUL is not allowed.")
        if scope["method"] == "GET" and not caller.is_staff and not head.no_cache:
            key = scope["path"].encode() + b"?" + scope["query_string"]
            entry = gateway.near.get(key)
            if entry is not None:
                gateway.measures.near_hits += 1
                await _answer_near(exchange, entry, head.if_none_match)
                return
            exchange.keep_near(gateway.near, key)
        exchange.if_none_match = head.if_none_match
        scope["headers"].append(_NO_WATCH)
        settings = gateway.settings
        meter = Meter(
            receive,
            head.content_length,
            settings.body_bytes_max,
            settings.upload_bytes_max,
        )
        scope["souk.meter"] = meter
        await self._app(scope, meter, exchange.send)
        if not exchange.started:
            raise internal_error()


async def _identify(gateway: Gateway, head: RequestHead, caller: Caller) -> None:
    """Fill in who asks; raises Problem 401 for a token that is not good."""
    if head.cart_token:
        caller.cart_token = checked_token(head.cart_token)
    if head.order_token:
        caller.order_token = checked_token(head.order_token)
    if head.authorization:
        identity = gateway.tokens.verify(bearer(head.authorization))
        await gateway.epochs.check(identity)
        caller.user_id = identity.user_id
        caller.role = identity.role
        caller.session_id = identity.session_id


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
