"""The event document is AsyncAPI 3, and each database has its diagram."""

import re
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from actors import DOMAINS
from persistence.kit.migrations import metadata_of
from persistence.kit.tables import domain_metadata
from scripts.referencing.api import operations

ROOT = Path(__file__).resolve().parents[2]
TEXT = {"type": "string", "minLength": 1}
DIAGRAM = r"```mermaid\nerDiagram\n(.*?)```"
NAME = "^[A-Za-z0-9._-]+$"


def closed(required: list[str], **properties: Any) -> dict[str, Any]:
    """An object with these members and no others."""
    return {
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": False,
    }


def named(each: dict[str, Any]) -> dict[str, Any]:
    """A map from names that AsyncAPI allows."""
    return {
        "type": "object",
        "patternProperties": {NAME: each},
        "additionalProperties": False,
    }


REFERENCE = closed(["$ref"], **{"$ref": {"type": "string", "pattern": "^#/"}})

# The members that https://www.asyncapi.com/definitions/3.0.0.json allows, as used.
ASYNCAPI = closed(
    ["asyncapi", "info"],
    asyncapi={"const": "3.0.0"},
    id={"type": "string", "format": "uri"},
    info=closed(
        ["title", "version"],
        title=TEXT,
        version=TEXT,
        description=TEXT,
        license=closed(["name"], name=TEXT, url=TEXT),
    ),
    defaultContentType=TEXT,
    servers=named(
        closed(
            ["host", "protocol"],
            host={"type": "string", "pattern": r"^[^/\s]+$"},
            protocol=TEXT,
            description=TEXT,
        )
    ),
    channels=named(
        closed(
            [],
            address={"type": ["string", "null"]},
            messages=named(REFERENCE),
            description=TEXT,
        )
    ),
    operations=named(
        closed(
            ["action", "channel"],
            action={"enum": ["send", "receive"]},
            channel=REFERENCE,
            messages={"type": "array", "items": REFERENCE},
            summary=TEXT,
        )
    ),
    components=closed(
        [],
        messages=named(
            closed(
                [],
                name=TEXT,
                title=TEXT,
                summary=TEXT,
                description=TEXT,
                contentType=TEXT,
                headers={"type": "object"},
                payload={"type": "object"},
            )
        ),
        schemas=named({"type": "object"}),
    ),
)


def test_the_events_are_an_asyncapi_document_of_version_3() -> None:
    made = yaml.safe_load((ROOT / "docs/asyncapi.yaml").read_text())
    jsonschema.validate(made, ASYNCAPI)
    for operation in made["operations"].values():
        channel = operation["channel"]["$ref"].rsplit("/", 1)[1]
        for message in operation["messages"]:  # must be one of the channel's own
            assert message["$ref"].startswith(f"#/channels/{channel}/messages/")
            assert (
                message["$ref"].rsplit("/", 1)[1]
                in made["channels"][channel]["messages"]
            )
    for message in made["components"]["messages"].values():
        payload = {**message["payload"], "components": made["components"]}
        jsonschema.Draft202012Validator.check_schema(payload)


def test_every_database_has_a_diagram_of_all_its_tables() -> None:
    text = (ROOT / "docs/database.md").read_text()
    parts = dict(
        re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    )
    shared = set(domain_metadata("").tables)
    for domain in DOMAINS:
        (diagram,) = re.findall(
            r"```mermaid\nerDiagram\n(.*?)```", parts[domain], re.DOTALL
        )
        drawn = set(re.findall(r"^  (\w+) \{$", diagram, re.MULTILINE))
        assert drawn == set(metadata_of(domain).tables) - shared
        for line in diagram.splitlines():
            assert re.fullmatch(
                r"  \w+ \{|    \w+ \w+( (PK|FK|PK,FK))?|  \}"
                r"|  \w+ \|\|(--|\.\.)o\{ \w+ : \w+",
                line,
            ), line


def test_every_route_is_on_its_page_once() -> None:
    page = (ROOT / "docs/reference/http.md").read_text()
    for method, path, _ in operations():
        assert page.count(f"| `{method.upper()} {path}`<br>") == 1
