"""Finds a route by its path's first segment, so that only a few are tried.

Starlette tries all routes in turn, about a microsecond each; a shop has over a hundred.
A path that is written out goes before one with a parameter in its place, in whatever
order the modules that declare them are imported: `/products/export` is no product.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter
from starlette.types import Receive, Scope, Send


class Segments:
    """Small routers, each with the routes of one first segment."""

    def __init__(self, routes: Sequence[Any]) -> None:
        by_segment: defaultdict[str, list[Any]] = defaultdict(list)
        for route in routes:
            segment = _first(route.path)
            if segment.startswith("{"):
                raise RuntimeError(f"the route {route.path} begins with a parameter")
            by_segment[segment].append(route)
        self._routers = {segment: _router(some) for segment, some in by_segment.items()}
        self._none = _router([])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on to the router of its segment."""
        router = self._none
        if scope["type"] == "http":
            router = self._routers.get(_first(scope["path"]), self._none)
        await router(scope, receive, send)


def _router(routes: list[Any]) -> APIRouter:
    router = APIRouter(redirect_slashes=False)
    router.routes.extend(sorted(routes, key=_parameters))
    return router


def _parameters(route: Any) -> list[bool]:
    """Which parts of its path are parameters; sorted, written-out parts come first."""
    return [part.startswith("{") for part in route.path.split("/")]


def _first(path: str) -> str:
    return path.split("/", 2)[1] if "/" in path else path
