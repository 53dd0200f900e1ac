"""The Postman collection: valid, whole, and every example body is accepted."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import BaseModel

from scripts.referencing.api import bodies, operations
from scripts.referencing.examples import NoExample, example

ROOT = Path(__file__).resolve().parents[2]
TEXT = {"type": "string"}

# The parts of https://schema.postman.com/collection/json/v2.1.0 that are used.
PAIR = {
    "type": "object",
    "required": ["key"],
    "properties": {"key": TEXT, "value": TEXT, "type": TEXT}
    | {"description": TEXT, "disabled": {"type": "boolean"}, "src": {"type": "array"}},
    "additionalProperties": False,
}
AUTH = {
    "type": "object",
    "required": ["type"],
    "properties": {
        "type": {"enum": ["bearer", "noauth"]},
        "bearer": {"type": "array", "items": PAIR},
    },
    "additionalProperties": False,
}
REQUEST = {
    "type": "object",
    "required": ["method", "url", "header"],
    "properties": {
        "method": {"enum": ["GET", "POST", "PUT", "PATCH", "DELETE"]},
        "description": TEXT,
        "auth": AUTH,
        "header": {"type": "array", "items": PAIR},
        "url": {
            "type": "object",
            "required": ["raw", "host", "path"],
            "properties": {
                "raw": TEXT,
                "host": {"type": "array", "items": TEXT},
                "path": {"type": "array", "items": TEXT},
                "query": {"type": "array", "items": PAIR},
                "variable": {"type": "array", "items": PAIR},
            },
            "additionalProperties": False,
        },
        "body": {
            "type": "object",
            "required": ["mode"],
            "properties": {
                "mode": {"enum": ["raw", "formdata"]},
                "raw": TEXT,
                "options": {"type": "object"},
                "formdata": {"type": "array", "items": PAIR},
            },
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}
COLLECTION = {
    "type": "object",
    "required": ["info", "item"],
    "properties": {
        "info": {
            "type": "object",
            "required": ["name", "schema"],
            "properties": {
                "name": TEXT,
                "description": TEXT,
                "schema": {"pattern": "/json/collection/v2.1.0/collection.json$"},
            },
        },
        "auth": AUTH,
        "event": {"type": "array"},
        "variable": {"type": "array", "items": PAIR},
        "item": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "item"],
                "properties": {
                    "name": TEXT,
                    "item": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "object",
                            "required": ["name", "request"],
                            "properties": {
                                "name": TEXT,
                                "request": REQUEST,
                                "response": {"type": "array"},
                            },
                            "additionalProperties": False,
                        },
                    },
                },
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    """The collection as it is committed."""
    text = (ROOT / "docs/souk.postman_collection.json").read_text()
    collection: dict[str, Any] = json.loads(text)
    return collection


def requests(made: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each request with the method and path that the document knows it by."""
    for folder in made["item"]:
        for item in folder["item"]:
            request = item["request"]
            parts = [
                f"{{{part[1:]}}}" if part.startswith(":") else part
                for part in request["url"]["path"]
            ]
            yield request["method"].lower(), "/" + "/".join(parts), request


def test_it_is_a_collection_of_version_2_1(made: dict[str, Any]) -> None:
    jsonschema.validate(made, COLLECTION)


def test_it_has_every_route_once(made: dict[str, Any]) -> None:
    known = [(method, path) for method, path, _ in operations()]
    assert sorted(known) == sorted((m, p) for m, p, _ in requests(made))


def test_every_example_body_is_accepted_by_its_route(made: dict[str, Any]) -> None:
    tried = set()
    for method, path, request in requests(made):
        model = bodies().get((method, path))
        if model is not None:
            model.model_validate_json(request["body"]["raw"])
            tried.add((method, path))
    assert tried == set(bodies())


def test_its_variables_and_places_are_all_there(made: dict[str, Any]) -> None:
    known = {one["key"] for one in made["variable"]}
    text = json.dumps(made)
    used = {part.split("}}")[0] for part in text.split("{{")[1:]}
    assert used - known <= {"$guid"}
    assert {"base_url", "access_token"} <= used
    for _, _, request in requests(made):
        places = {p[1:] for p in request["url"]["path"] if p.startswith(":")}
        assert places == {one["key"] for one in request["url"]["variable"]}


def test_public_routes_send_no_token_and_all_others_do(made: dict[str, Any]) -> None:
    public = {(m, p) for m, p, one in operations() if {} in one["security"]}
    without = {(m, p) for m, p, r in requests(made) if r.get("auth") is not None}
    assert without == public
    assert made["auth"]["type"] == "bearer"


def test_a_body_that_cannot_be_guessed_is_said_to_be_one() -> None:
    from pydantic import model_validator

    class Odd(BaseModel):
        """Nothing is good enough."""

        word: str

        @model_validator(mode="after")
        def refuse(self) -> "Odd":
            raise ValueError

    with pytest.raises(NoExample, match="Odd"):
        example(Odd)
