"""The Postman collection (v2.1), made from the OpenAPI document."""

import json
from functools import cache
from typing import Any

from scripts.referencing.api import bodies, openapi, operations
from scripts.referencing.examples import UUID, example

SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
VARIABLES = {
    "base_url": "http://127.0.0.1:3000",
    "access_token": "",
    "refresh_token": "",
    "guest_cart_token": "",
    "order_token": "",
}
# What a sign-in answers is what all later requests need.
KEEP_TOKENS = """\
const answer = pm.response.code < 300 ? pm.response.json() : {};
const keep = (name, value) => value && pm.collectionVariables.set(name, value);
keep("access_token", answer.access_token);
keep("refresh_token", answer.refresh_token);
keep("guest_cart_token", answer.cart_token);
keep("order_token", answer.order_token);"""
TOKENS = {"X-Cart-Token": "{{guest_cart_token}}", "X-Order-Token": "{{order_token}}"}


@cache
def postman_page() -> str:
    """`docs/souk.postman_collection.json`."""
    return json.dumps(collection(), indent=2, ensure_ascii=False) + "\n"


def collection() -> dict[str, Any]:
    """The collection as plain values: a folder for each tag."""
    folders: dict[str, list[dict[str, Any]]] = {}
    for method, path, operation in operations():
        request = _request(method, path, operation)
        folders.setdefault(operation["tags"][0], []).append(request)
    return {
        "info": {
            "name": "Souk",
            "description": openapi()["info"]["description"],
            "schema": SCHEMA,
        },
        "auth": {"type": "bearer", "bearer": [_pair("token", "{{access_token}}")]},
        "event": [
            {
                "listen": "test",
                "script": {"type": "text/javascript", "exec": KEEP_TOKENS.split("\n")},
            }
        ],
        "variable": [_pair(name, value) for name, value in VARIABLES.items()],
        "item": [{"name": name, "item": items} for name, items in folders.items()],
    }


def _request(method: str, path: str, operation: dict[str, Any]) -> dict[str, Any]:
    request: dict[str, Any] = {
        "method": method.upper(),
        "description": operation.get("description", ""),
        "header": _headers(operation),
        "url": _url(path, operation),
    }
    if {} in operation["security"]:
        # A token that is not there yet would be refused; turn it on where one is.
        request["auth"] = {"type": "noauth"}
    if body := _body(method, path, operation):
        request["body"] = body
    return {"name": operation["summary"], "request": request, "response": []}


def _headers(operation: dict[str, Any]) -> list[dict[str, Any]]:
    named = {each["name"]: each for each in operation.get("parameters", ())}
    headers = [
        {"key": name, "value": "{{$guid}}" if name == "Idempotency-Key" else ""}
        | {"description": each.get("description", "")}
        | ({} if name == "Idempotency-Key" else {"disabled": True})
        for name, each in named.items()
        if each["in"] == "header"
    ]
    if {} in operation["security"]:
        headers += [
            {"key": name, "value": value, "disabled": True}
            for name, value in TOKENS.items()
        ]
    if "application/json" in operation.get("requestBody", {}).get("content", {}):
        headers.append({"key": "Content-Type", "value": "application/json"})
    return headers


def _url(path: str, operation: dict[str, Any]) -> dict[str, Any]:
    parameters = operation.get("parameters", ())
    parts = [
        f":{part[1:-1]}" if part.startswith("{") else part
        for part in path.strip("/").split("/")
        if part
    ]
    query = [
        {
            "key": each["name"],
            "value": str(each["schema"].get("default", "")),
            "description": each.get("description", ""),
            "disabled": True,
        }
        for each in parameters
        if each["in"] == "query"
    ]
    url: dict[str, Any] = {
        "raw": "/".join(["{{base_url}}", *parts]),
        "host": ["{{base_url}}"],
        "path": parts,
        "variable": [
            {"key": each["name"], "value": _place(each)}
            for each in parameters
            if each["in"] == "path"
        ],
    }
    return url | ({"query": query} if query else {})


def _place(parameter: dict[str, Any]) -> str:
    if parameter["schema"].get("format") == "uuid":
        return UUID
    return "LAMP-1" if parameter["name"] == "sku" else "sandbox"


def _body(method: str, path: str, operation: dict[str, Any]) -> dict[str, Any] | None:
    model = bodies().get((method, path))
    if model is not None:
        raw = json.dumps(example(model), indent=2, ensure_ascii=False)
        return {"mode": "raw", "raw": raw, "options": {"raw": {"language": "json"}}}
    content = operation.get("requestBody", {}).get("content", {})
    form = content.get("multipart/form-data")
    if form is None:
        return None
    schema = form["schema"]
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        schema = openapi()["components"]["schemas"][name]
    return {"mode": "formdata", "formdata": [_part(*p) for p in _parts(schema)]}


def _parts(schema: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return list(schema.get("properties", {}).items())


def _part(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    if name == "file":
        return {"key": name, "type": "file", "src": []}
    value = UUID if schema.get("format") == "uuid" else "product"
    return {"key": name, "type": "text", "value": value}


def _pair(name: str, value: str) -> dict[str, str]:
    return {"key": name, "value": value, "type": "string"}
