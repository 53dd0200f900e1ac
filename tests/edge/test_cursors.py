"""Cursors that were never given, in every list that there is."""

from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest

from serve_app.kit.answers import opaque_cursor
from tests.edge.contract import ROUTES
from tests.edge.scene import Scene

LISTS_MIN = 12
PLAIN = (
    *("x", "0", "-1", str(2**70), "9" * 300, "NaN", "1e400", "٣", "é", "\ud7ff", " "),
    *("null", "true", "[]", "{}", "[1]", '["a",1]', '{"a":1}', "[" * 500, '"', "\\"),
    *("2026-01-01T00:00:00Z", "2026-99-99", "0001-01-01T00:00:00+99:99", "infinity"),
    *("1|2", "1,2", "a:b:c", "|", ",", ":", "0 0", "1.5 x", "' OR 1=1--", "%s", "{0}"),
    *(f"{uuid4()}", f"5|{uuid4()}", f"{uuid4()}|5", f"2026-01-01T00:00:00Z|{uuid4()}"),
)
RAW = ("@", "=", "AAAA", "AA==", "A", "gA", "%FF", "x" * 1_024)
ALL = (*map(opaque_cursor, PLAIN), *RAW)
FEW = (*map(opaque_cursor, ("x", str(2**70), "1|2", f"5|{uuid4()}")), "gA")


@pytest.mark.parametrize(
    "cursors", [FEW, pytest.param(ALL, marks=pytest.mark.full)], ids=["few", "all"]
)
async def test_a_cursor_that_was_never_given_breaks_no_list(
    scene: Scene, cursors: tuple[str, ...]
) -> None:
    document = (await scene.front.http.get("/api/openapi.json")).json()
    lists = [
        route
        for route in ROUTES
        if any(
            one.get("name") == "cursor"
            for one in operation(document, route.line).get("parameters", ())
        )
    ]
    assert len(lists) >= LISTS_MIN
    for route in lists:
        person, line, _ = await scene.ask(route.allowed(), route.line, None)
        joint = "&" if "?" in line else "?"
        for cursor in cursors:
            answer = await person.send(f"{line}{joint}cursor={quote(cursor)}")
            said = (route.line, cursor, answer.text)
            assert answer.status_code in (200, 422), said
            if answer.status_code == 422:
                assert answer.json()["code"] in ("invalid-cursor", "invalid-request")


def operation(document: Any, line: str) -> Any:
    """What the document says of a route."""
    method, path = line.split()
    return document["paths"][path.partition("?")[0]][method.lower()]
