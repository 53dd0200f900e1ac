"""The HTTP API as the code declares it: its OpenAPI document, and each route's body."""

from base64 import urlsafe_b64encode
from datetime import datetime
from functools import cache
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from bus.kit.settings import Settings
from serve_app.app import VERSION, application, routers
from serve_app.kit.declared import declared_of
from serve_app.kit.epochs import Raised
from serve_app.kit.gateway import Gateway
from serve_app.kit.identity import Identity
from serve_app.kit.openapi import document

METHODS = ("get", "post", "put", "patch", "delete")


class _Nobody:
    """Stands where a gateway's sessions and domains are: it is never asked."""

    async def list_raised(self, since: datetime) -> Raised:
        raise LookupError(since)

    async def is_valid(self, identity: Identity) -> bool:
        raise LookupError(identity)

    async def ask(self, message: Any, **options: Any) -> Any:
        raise LookupError(message, options)

    async def health(self) -> dict[str, dict[str, bool]]:
        return {}


@cache
def app() -> FastAPI:
    """The application with every domain's routes, for reading only."""
    key = urlsafe_b64encode(bytes(32)).decode()
    nobody = _Nobody()
    gateway = Gateway.of(Settings(jwt_keys=key), nobody, nobody)
    return application(gateway, routers())


@cache
def openapi() -> dict[str, Any]:
    """The OpenAPI document."""
    return document(app(), VERSION)


@cache
def bodies() -> dict[tuple[str, str], type[BaseModel]]:
    """The model of each route's body, by method and path."""
    found: dict[tuple[str, str], type[BaseModel]] = {}
    for route in app().routes:
        declared = declared_of(route)
        if declared is not None and declared.body is not None:
            for method in getattr(route, "methods", ()):
                found[method.lower(), getattr(route, "path", "")] = declared.body
    return found


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    """Method, path and operation of every route, in the document's order."""
    return [
        (method, path, item[method])
        for path, item in openapi()["paths"].items()
        for method in METHODS
        if method in item
    ]
