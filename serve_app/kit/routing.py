"""Routes: each says who may use it, and gets what it needs by its parameters' types.

A domain's cell reads so:

    router = Router("orders")

    @router.post("/orders", access=PUBLIC, idempotent=True, status=201)
    async def place_order(body: PlaceOrderBody, caller: Caller) -> Answer[OrderView]:
        \"\"\"Place an order.\"\"\"
        order = await ask(body.command(caller), id=caller.command_id())
        return created(order, f"/orders/{order.id}")

A parameter whose type is a `Body` gets the checked body, one of type `Caller` the
caller; all others are FastAPI's (path, query, `Pages`, `ExpectedVersion`, `UploadFile`,
`Request`). What is returned is a view (with the route's status), an `Answer`, a
Starlette response, or None for 204.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar
from uuid import UUID

from fastapi import APIRouter

from bus.kit.messages import Event
from serve_app.kit.answers import (
    Answer,
    ExpectedVersion,
    Pages,
    Paging,
    accepted,
    created,
    no_content,
)
from serve_app.kit.asking import ask
from serve_app.kit.caller import Access, Caller
from serve_app.kit.declared import (
    Declared,
    DeclaredRoute,
    Near,
    endpoint_of,
    read_body,
)
from serve_app.kit.facts import Facts
from serve_app.kit.feeds import Feed, Line, ResumeAfter
from serve_app.kit.streams import SUFFIX

__all__ = [
    "ADMIN",
    "PUBLIC",
    "SELLER",
    "SIGNED_IN",
    "Answer",
    "Caller",
    "ExpectedVersion",
    "Feed",
    "Line",
    "Near",
    "Pages",
    "Paging",
    "ResumeAfter",
    "Router",
    "accepted",
    "ask",
    "command_id",
    "created",
    "no_content",
    "read_body",
]

PUBLIC = Access.PUBLIC
SIGNED_IN = Access.SIGNED_IN
SELLER = Access.SELLER
ADMIN = Access.ADMIN

Statuses = Iterable[int]
"""What a route answers with besides its status and what every route may answer."""

Handler = TypeVar("Handler", bound=Callable[..., Awaitable[Any]])


class Router:
    """The routes of one domain; every one declares its access.

    Routes that are not `listed` are pages, and left out of the OpenAPI document.
    """

    def __init__(self, domain: str, *, listed: bool = True) -> None:
        self.domain = domain
        self.api = APIRouter(
            route_class=DeclaredRoute, tags=[domain], include_in_schema=listed
        )
        self.forgetting: list[tuple[type[Event], Callable[[Any], Iterable[str]]]] = []
        self.hearing: list[tuple[type[Event], Callable[[Facts, Any], None]]] = []
        self.waking: list[tuple[type[Event], str, Callable[[Any], object]]] = []

    def get(
        self,
        path: str,
        *,
        access: Access,
        status: int = 200,
        near: Near | None = None,
        also: Statuses = (),
    ) -> Callable[[Handler], Handler]:
        """A route that reads; with `near` its public answers are kept as bytes."""
        return self._route("GET", path, access, status=status, near=near, also=also)

    def stream(self, path: str, *, access: Access) -> Callable[[Handler], Handler]:
        """A route that is followed (server-sent events); it returns a `Feed`.

        The edge answers it outside of Serve, which it knows by the path's end.
        """
        if not path.endswith(SUFFIX):
            raise ValueError(f"{path} does not end in {SUFFIX}")
        return self._route("GET", path, access, status=200, stream=True)

    def post(
        self,
        path: str,
        *,
        access: Access,
        status: int = 200,
        idempotent: bool = False,
        upload: bool = False,
        direct: bool = False,
        paced: bool = False,
        also: Statuses = (),
    ) -> Callable[[Handler], Handler]:
        """A route that makes or does; `upload` lifts the body's limit for a file.

        A `direct` one is hot: the edge answers it itself (`serve_app.kit.direct`). A
        `paced` one is heavy: past saturation it is refused (`serve_app.kit.admission`).
        """
        return self._route(
            "POST",
            path,
            access,
            status=status,
            idempotent=idempotent,
            upload=upload,
            direct=direct,
            paced=paced,
            also=also,
        )

    def put(
        self, path: str, *, access: Access, status: int = 200, also: Statuses = ()
    ) -> Callable[[Handler], Handler]:
        """A route that replaces or sets."""
        return self._route("PUT", path, access, status=status, also=also)

    def patch(
        self, path: str, *, access: Access, status: int = 200, also: Statuses = ()
    ) -> Callable[[Handler], Handler]:
        """A route that changes the fields that it is given."""
        return self._route("PATCH", path, access, status=status, also=also)

    def delete(
        self, path: str, *, access: Access, status: int = 204, also: Statuses = ()
    ) -> Callable[[Handler], Handler]:
        """A route that removes."""
        return self._route("DELETE", path, access, status=status, also=also)

    def forgets(self, event: type[Event], tags: Callable[[Any], Iterable[str]]) -> None:
        """Drop the answers kept near that bear a tag of `tags(event)` when it comes."""
        self.forgetting.append((event, tags))

    def hears(self, event: type[Event], note: Callable[[Facts, Any], None]) -> None:
        """Let `note` change what the gateway knows whenever this event comes."""
        self.hearing.append((event, note))

    def wakes(
        self, event: type[Event], kind: str, key: Callable[[Any], object]
    ) -> None:
        """Let streams of `kind` that follow `key(event)` look again when it comes."""
        self.waking.append((event, kind, key))

    def _route(
        self,
        method: str,
        path: str,
        access: Access,
        *,
        status: int,
        idempotent: bool = False,
        upload: bool = False,
        near: Near | None = None,
        stream: bool = False,
        direct: bool = False,
        paced: bool = False,
        also: Statuses = (),
    ) -> Callable[[Handler], Handler]:
        def declare(handler: Handler) -> Handler:
            endpoint, body, view = endpoint_of(handler, status, near)
            endpoint.declared = Declared(  # type: ignore[attr-defined]
                access=access,
                status=status,
                idempotent=idempotent,
                upload=upload,
                near=near,
                stream=stream,
                direct=direct,
                paced=paced,
                also=tuple(also),
                body=body,
                view=view,
            )
            title, _, rest = (inspect.getdoc(handler) or "").partition("\n\n")
            self.api.add_api_route(
                path,
                endpoint,
                methods=[method],
                status_code=status,
                response_model=None,
                summary=title.rstrip("."),
                description=rest,
                operation_id=f"{self.domain}_{handler.__name__}",
            )
            return handler

        return declare


def command_id(caller: Caller, purpose: str | None = None) -> UUID:
    """The id of the command that the request stands for: `Caller.command_id`."""
    return caller.command_id(purpose)
