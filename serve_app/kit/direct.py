"""Hot routes, answered by the edge itself, past Ray Serve's and FastAPI's own work.

Between the edge and a handler a request passes Serve's bookkeeping, four middlewares,
two routers and a search for dependencies. A direct route needs none of that: its path
has no parameters, its handler takes a body and a caller. What is left is the same code
in the same order, the checks of `declared.guarded` and the endpoint behind them, so the
answer is too.

Serve does not count these requests as its own. It ends a replica all the same only when
their answers are out: after its drain it waits for its HTTP server to finish, within
the same time.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from serve_app.kit.declared import REQUEST, declared_of, guarded
from serve_app.kit.failing import as_problem

Direct = Callable[[Scope, Receive, Send], Awaitable[None]]


def direct_routes(routes: Iterable[Any]) -> Mapping[tuple[str, str], Direct]:
    """What answers each direct route, by method and path.

    Raises RuntimeError for one that needs what only FastAPI gives.
    """
    found: dict[tuple[str, str], Direct] = {}
    for route in routes:
        declared = declared_of(route)
        if declared is not None and declared.direct:
            (method,) = route.methods
            found[method, route.path] = _answering(route)
    return found


def _answering(route: Any) -> Direct:
    wanted = inspect.signature(route.endpoint).parameters
    if "{" in route.path or list(wanted) != [REQUEST]:
        raise RuntimeError(f"{route.path} takes more than a body and a caller")

    async def endpoint(request: Request) -> Any:
        return await route.endpoint(**{REQUEST: request})

    handle = guarded(route, endpoint)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await handle(Request(scope, receive))
        except Exception as error:
            # `guarded` has logged bugs; all that it lets pass has a document.
            raise as_problem(error) from error
        await response(scope, receive, send)

    return answer
