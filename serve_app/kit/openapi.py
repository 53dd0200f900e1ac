"""The OpenAPI document, made from the routes' declarations and the views' types."""

import types
from collections.abc import Iterator
from types import NoneType
from typing import Any, Union, get_args, get_origin

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema
from starlette.responses import Response

from bus.kit.values import Done
from serve_app.kit.answers import Answer
from serve_app.kit.caller import Access
from serve_app.kit.declared import Declared, declared_of
from serve_app.kit.feeds import Feed
from serve_app.kit.problems import MEDIA_TYPE
from serve_app.kit.streams import ACCESS_COOKIE, ORDER_COOKIE

_REFERENCE = "#/components/schemas/{}"
_PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": _REFERENCE.format("Problem")}}}

DESCRIPTION = """
A shop: products, carts, orders, payments, stock, notifications.

* **JSON** in `snake_case`; unknown fields of a body are refused with 422.
* **Money** is `{"amount": 1999, "currency": "USD"}`: integer minor units, ISO 4217.
* **Errors** are RFC 9457 problem documents with a stable `code`.
* **Lists** take `limit` (1 to 100) and `cursor`, and answer `items` and `next_cursor`.
* **Signing in** gives an access token: `Authorization: Bearer …`. Guests are known by
  the `X-Cart-Token` of their cart and the `X-Order-Token` of their order.
* **`Idempotency-Key`** on a POST makes it act once: the same key and body give the
  first answer again.
* **`ETag`** and `If-Match` guard edits; public reads answer 304 to `If-None-Match`.
* Every answer has `X-Request-Id`; 503 means that nothing was begun, 504 with the code
  `outcome-unknown` that it may have happened: ask again with the same key.
"""

_TITLES = {
    202: "It goes on; ask again for how it ended.",
    206: "The part that was asked for.",
    304: "It is as the client has it.",
    307: "It is to be had at the address in `Location`.",
    400: "The body is no JSON, or no form.",
    401: "Nobody is signed in, or the token is not good.",
    402: "The payment was declined; the order is cancelled and its stock free.",
    403: "The caller's role may not do this.",
    404: "There is no such thing, or none that the caller may see.",
    408: "The body did not come in time.",
    409: "It cannot be done as things stand; `code` says why.",
    412: "The resource has changed since it was read.",
    413: "The body is too large.",
    415: "The body, or the file in it, is of a kind that is not taken.",
    416: "There are no such bytes.",
    422: "The request is not acceptable; `errors` names the fields.",
    429: "Too many requests.",
    500: "A bug on our side.",
    503: "Busy or not ready; nothing was begun.",
    504: "The outcome is not known (`outcome-unknown`).",
}

_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Makes repeated requests act once, for 24 hours.",
    "schema": {"type": "string", "minLength": 16, "maxLength": 64},
}

_CSV = {
    "required": True,
    "content": {
        "text/csv": {"schema": {"type": "string"}},
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "additionalProperties": False,
                "properties": {
                    "file": {"type": "string", "contentMediaType": "text/csv"}
                },
            }
        },
    },
}
"""What a route takes that reads its file itself: as the body, or in a form."""


def document(app: FastAPI, version: str) -> dict[str, Any]:
    """The whole document of `app`."""
    schema = get_openapi(
        title="Souk",
        version=version,
        openapi_version="3.1.0",
        description=DESCRIPTION.strip(),
        routes=app.routes,
    )
    components = schema.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        components.pop(name, None)
    operations = list(_operations(app, schema))
    components.update(_body_components([each for _, each in operations]))
    replies, reply_components = _reply_schemas([each for _, each in operations])
    components.update(reply_components)
    components["Problem"] = _problem_schema()
    for index, (operation, declared) in enumerate(operations):
        _describe(operation, declared, replies[index])
    schema["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        "cart": {"type": "apiKey", "in": "header", "name": "X-Cart-Token"},
        "order": {"type": "apiKey", "in": "header", "name": "X-Order-Token"},
        "access_cookie": {"type": "apiKey", "in": "cookie", "name": ACCESS_COOKIE},
        "order_cookie": {"type": "apiKey", "in": "cookie", "name": ORDER_COOKIE},
    }
    return schema


def _operations(
    app: FastAPI, schema: dict[str, Any]
) -> Iterator[tuple[dict[str, Any], Declared]]:
    for route in app.routes:
        declared = declared_of(route)
        if declared is None or not getattr(route, "include_in_schema", False):
            continue
        path = schema["paths"][route.path_format]  # type: ignore[attr-defined]
        for method in route.methods:  # type: ignore[attr-defined]
            yield path[method.lower()], declared


def _describe(
    operation: dict[str, Any], declared: Declared, reply: dict[str, Any] | None
) -> None:
    access = declared.access
    text = operation.get("description", "")
    operation["description"] = f"{text}\n\nWho: {access.value}.".strip()
    bearer: dict[str, list[str]] = {"bearer": []}
    public = [{}, bearer, {"cart": []}, {"order": []}]
    operation["security"] = public if access is Access.PUBLIC else [bearer]
    if declared.stream:
        operation["security"] = [*operation["security"], {"access_cookie": []}]
        if access is Access.PUBLIC:
            operation["security"].append({"order_cookie": []})
    if declared.idempotent:
        operation.setdefault("parameters", []).append(_KEY)
    if declared.body is not None:
        reference = _REFERENCE.format(declared.body.__name__)
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": reference}}},
        }
    elif declared.upload and "requestBody" not in operation:
        operation["requestBody"] = _CSV
    responses = operation["responses"]
    answer: dict[str, Any] = {"description": "Done."}
    if declared.stream:
        answer = _stream(reply)
    elif reply is not None:
        answer["content"] = {"application/json": {"schema": reply}}
    responses[str(declared.status)] = answer
    for status in _statuses(operation, declared):
        content = _PROBLEM if status >= 400 else answer.get("content", {})
        responses[str(status)] = {"description": _TITLES[status], "content": content}


def _stream(reply: dict[str, Any] | None) -> dict[str, Any]:
    """Server-sent events; what the `data` of each holds is named beside."""
    media = {"schema": {"type": "string"}, "x-event-data": reply or {}}
    return {
        "description": "Server-sent events: `id`, `event`, and `data` in JSON.",
        "content": {"text/event-stream": media},
    }


def _statuses(operation: dict[str, Any], declared: Declared) -> list[int]:
    """What a route of this kind can answer with besides its own status.

    A token that is not good is refused on public routes too. With an Idempotency-Key
    the body is read, and hashed, also where the route takes none.
    """
    parameters = operation.get("parameters", [])
    statuses = {401, 422, 429, 500, 503, 504, *declared.also}
    if declared.access is not Access.PUBLIC:
        statuses.add(403)
    if any(each["in"] == "path" for each in parameters):
        statuses.add(404)
    takes_body = declared.body is not None or declared.upload
    if takes_body or declared.idempotent:
        statuses |= {408, 409, 413}
    if takes_body:
        statuses.add(415)
    if declared.body is not None:
        statuses.add(400)
    if any(each["name"].lower() == "if-match" for each in parameters):
        statuses.add(412)
    return sorted(statuses)


def _body_components(declared: list[Declared]) -> dict[str, Any]:
    models = {each.body for each in declared if each.body is not None}
    _, definitions = models_json_schema(
        [(model, "validation") for model in sorted(models, key=lambda m: m.__name__)],
        ref_template="#/components/schemas/{model}",
    )
    found: dict[str, Any] = definitions.get("$defs", {})
    return found


def _reply_schemas(
    declared: list[Declared],
) -> tuple[list[dict[str, Any] | None], dict[str, Any]]:
    """Each route's schema of what it answers, and the parts that they refer to."""
    views = [_views(each.view) for each in declared]
    flat = [view for some in views for view in some]
    schemas, components = msgspec.json.schema_components(
        flat, ref_template="#/components/schemas/{name}"
    )
    found = iter(schemas)
    replies: list[dict[str, Any] | None] = []
    for some in views:
        mine = [next(found) for _ in some]
        replies.append({"anyOf": mine} if len(mine) > 1 else next(iter(mine), None))
    return replies, components


def _views(annotation: Any) -> list[Any]:
    """The views that a handler may answer with; none where the body is not JSON."""
    if get_origin(annotation) in (Union, types.UnionType):
        return [view for part in get_args(annotation) for view in _views(part)]
    if get_origin(annotation) in (Answer, Feed):
        return _views(get_args(annotation)[0])
    if annotation in (None, NoneType, Answer, Done, Any):
        return []
    if isinstance(annotation, type) and issubclass(annotation, Response):
        return []
    return [annotation]


def _problem_schema() -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "title": "Problem",
        "description": "An error (RFC 9457). Some codes bring members of their own.",
        "type": "object",
        "required": ["type", "title", "status", "detail", "code", "errors"],
        "properties": {
            "type": {"type": "string", "format": "uri"},
            "title": text,
            "status": {"type": "integer"},
            "detail": text,
            "code": {"type": "string", "examples": ["out-of-stock"]},
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"field": text, "code": text, "detail": text},
                },
            },
            "request_id": {"type": ["string", "null"]},
        },
    }
