"""What a route declares, and the checks that stand before its handler."""

import asyncio
import hashlib
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from types import NoneType
from typing import Any, get_args, get_type_hints

import msgspec
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from bus.kit import logs
from serve_app.kit import receiving
from serve_app.kit.answers import Answer, etag, respond
from serve_app.kit.bodies import Body, parse_body
from serve_app.kit.caller import Access, Caller, checked_key
from serve_app.kit.feeds import Feed
from serve_app.kit.problems import (
    Problem,
    internal_error,
    problem_of,
    unauthenticated,
)

BODY_SECONDS_MAX = 30
REQUEST = "souk_request"

Answering = Callable[[Request], Coroutine[Any, Any, Response]]

_log = logs.get("gateway")


class Near(msgspec.Struct, frozen=True):
    """How a public answer may be kept near: for how long, and what it is made of.

    `tags` names the things that the view shows (`product:<id>`); an event that
    concerns one of them makes the answer forgotten (`Router.forgets`).
    """

    age_seconds: float
    tags: Callable[[Any], Iterable[str]] = lambda _: ()


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """What a route says of itself."""

    access: Access
    status: int
    idempotent: bool
    upload: bool
    near: Near | None
    stream: bool
    direct: bool
    paced: bool
    also: tuple[int, ...]
    body: type[Body] | None
    view: Any


def declared_of(route: Any) -> Declared | None:
    """What a route declared, or None if it did not."""
    return getattr(getattr(route, "endpoint", None), "declared", None)


def stream_paths(routes: Iterable[Any]) -> list[str]:
    """The paths of the routes that are event streams."""
    found = ((route, declared_of(route)) for route in routes)
    return [route.path for route, declared in found if declared and declared.stream]


def check_declared(routes: Iterable[Any]) -> None:
    """Refuse to start with a route that does not say who may use it."""
    for route in routes:
        if declared_of(route) is None:
            raise RuntimeError(
                f"the route {getattr(route, 'path', route)} declares no access"
            )


class DeclaredRoute(APIRoute):
    """A route that lets nobody pass whom it did not declare."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler behind the checks of the declaration."""
        return guarded(self, super().get_route_handler())


def guarded(route: Any, inner: Answering) -> Answering:
    """What answers requests behind the checks of the route's declaration.

    Raises problems and what becomes one; anything else is a bug, logged here.
    """
    declared = declared_of(route)
    if declared is None:
        raise RuntimeError(f"the route {route.path} declares no access")
    template = route.path

    async def handle(request: Request) -> Response:
        scope = request.scope
        caller: Caller = scope["souk.caller"]
        scope["souk.template"] = template
        try:
            _admit(declared, caller)
            if declared.idempotent:
                await _take_key(request, caller, whole=not declared.upload)
            if declared.upload:
                scope["souk.meter"].lift()
                return await receiving.take(caller, inner(request))
            return await inner(request)
        except (HTTPException, RequestValidationError):
            raise
        except Exception as error:
            if (problem := problem_of(error)) is not None:
                raise problem from None
            _log.exception("request failed", route=template)
            raise internal_error() from error

    return handle


def _admit(declared: Declared, caller: Caller) -> None:
    if declared.access.admits(caller.role):
        return
    if caller.role is None:
        raise unauthenticated("authentication-required", "Sign in first.")
    raise Problem(403, "forbidden", "Your role may not do this.")


async def _take_key(request: Request, caller: Caller, *, whole: bool) -> None:
    """Tie what the route asks to the request's Idempotency-Key, if it has one.

    Unless the body is read as a whole here, the route hashes the file that it takes.
    """
    key = request.headers.get("idempotency-key")
    if key is None:
        return
    caller.key = checked_key(key)
    caller.idempotent = True
    caller.route = f"{request.method} {request.url.path}"
    if whole:
        caller.body_hash = hashlib.sha256(await read_body(request)).digest()


async def read_body(request: Request) -> bytes:
    """The whole body, within its limit; raises Problem 408 if it does not come."""
    try:
        async with asyncio.timeout(BODY_SECONDS_MAX):
            return await request.body()
    except TimeoutError:
        raise Problem(
            408, "request-timeout", "The body did not come.", headers=_CLOSE
        ) from None


_CLOSE = {"Connection": "close"}


def endpoint_of(
    handler: Callable[..., Awaitable[Any]], status: int, near: Near | None
) -> tuple[Callable[..., Awaitable[Response]], type[Body] | None, Any]:
    """FastAPI's view of a handler: bodies and callers are given by us."""
    if not inspect.iscoroutinefunction(handler):
        raise TypeError(f"{handler.__qualname__} must be async")
    hints = get_type_hints(handler, include_extras=True)
    body_name, body = _parameter(hints, Body)
    caller_name, _ = _parameter(hints, Caller)
    request_name, _ = _parameter(hints, Request)
    takes_request = request_name is not None
    optional = {name for name, hint in hints.items() if NoneType in get_args(hint)}
    request_name = request_name or REQUEST

    async def endpoint(**values: Any) -> Response:
        request: Request = values[request_name]
        if not takes_request:
            del values[request_name]
        caller: Caller = request.scope["souk.caller"]
        if body_name is not None and body is not None:
            raw = await read_body(request)
            kind = request.headers.get("content-type", "")
            absent = not raw and body_name in optional
            values[body_name] = None if absent else parse_body(body, raw, kind)
        if caller_name is not None:
            values[caller_name] = caller
        result = await handler(**values)
        response = await _response(request, result, status)
        if caller.key is not None and not caller.used_key:
            raise RuntimeError("an idempotent route did not ask with its command id")
        if near is not None and response.status_code == 200 and not caller.is_staff:
            _keep_near(request, response, near, result)
        return response

    given = {body_name, caller_name}
    parameters = [
        each.replace(annotation=hints[each.name], kind=inspect.Parameter.KEYWORD_ONLY)
        for each in inspect.signature(handler).parameters.values()
        if each.name not in given
    ]
    if not takes_request:
        parameters.append(
            inspect.Parameter(
                request_name, inspect.Parameter.KEYWORD_ONLY, annotation=Request
            )
        )
    endpoint.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    endpoint.__name__ = handler.__name__
    endpoint.__module__ = handler.__module__
    return endpoint, body, hints.get("return")


async def _response(request: Request, result: Any, status: int) -> Response:
    if isinstance(result, Feed):
        stream: Response = await request.scope["souk.stream"].open(result)
        return stream
    return respond(result, status)


def _parameter(hints: dict[str, Any], kind: type) -> tuple[str | None, Any]:
    """The parameter of this kind, if the handler has one, and its exact type."""
    for name, hint in hints.items():
        if name == "return":
            continue
        for each in (hint, *get_args(hint)):
            if (
                inspect.isclass(each)
                and each is not NoneType
                and issubclass(each, kind)
            ):
                return name, each
    return None, None


def _keep_near(request: Request, response: Response, near: Near, result: Any) -> None:
    """Let the edge keep these bytes for the next who asks the same."""
    view = result.view if isinstance(result, Answer) else result
    if "etag" not in response.headers:
        response.headers["ETag"] = etag(None, bytes(response.body))
    response.headers["Cache-Control"] = "public, max-age=0, must-revalidate"
    request.scope["souk.keep"] = (near.age_seconds, tuple(near.tags(view)))
