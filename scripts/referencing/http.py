"""The page of the HTTP routes: who may use each, and what it answers."""

import re
from functools import cache
from typing import Any

from scripts.referencing.api import bodies, operations
from scripts.referencing.markdown import page, table

INTRODUCTION = """\
All routes, by domain, made from the same declarations as the OpenAPI document, which a
running shop shows at `/api` and gives at `/api/openapi.json`.
[A Postman collection](../souk.postman_collection.json) has them all, with examples.
*Who* is the least role; administrators may do what sellers may. Every error is a
problem document (RFC 9457) with a stable `code`; the codes of its own that a route has
are in its words. 500, 503 and 504 (`outcome-unknown`) are possible everywhere and not
repeated."""

HEADS = ("route", "who", "body", "answers")
EVERYWHERE = {"500", "503", "504"}


@cache
def http_page() -> str:
    """`docs/reference/http.md`."""
    tags: dict[str, list[tuple[str, ...]]] = {}
    for method, path, operation in operations():
        row = _row(method, path, operation)
        tags.setdefault(operation["tags"][0], []).append(row)
    parts = [INTRODUCTION]
    for tag, rows in tags.items():
        parts += [f"## {tag}", table(HEADS, rows)]
    return page("HTTP routes", *parts)


def _row(method: str, path: str, operation: dict[str, Any]) -> tuple[str, ...]:
    words = operation.get("description", "")
    said, _, who = words.rpartition("Who: ")
    text = " ".join(f"{operation['summary']}. {_plain(said)}".split())
    model = bodies().get((method, path))
    content = operation.get("requestBody", {}).get("content", {})
    body = f"`{model.__name__}`" if model else ", ".join(sorted(content)) or "—"
    statuses = [each for each in operation["responses"] if each not in EVERYWHERE]
    route = f"`{method.upper()} {path}`<br>{text}"
    return (route, who.rstrip(".").strip(), body, ", ".join(sorted(statuses)))


def _plain(text: str) -> str:
    """Words for a cell: no lists, no code blocks."""
    return re.sub(r"^\s*[*-] ", "", text, flags=re.MULTILINE)
