"""Whether an event is what is published of its type."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from bus.kit.messages import MESSAGE_TYPES, Event
from scripts.referencing.schemas import FOLDER, event_schema, type_of

ROOT = Path(__file__).resolve().parents[2]


def check_event(document: dict[str, Any]) -> None:
    """Raise AssertionError with the first thing that is wrong; toys are let pass."""
    validator = _validator(document["type"])
    if validator is None:
        return
    for error in validator.iter_errors(document):
        where = "/".join(map(str, error.absolute_path)) or "the document"
        raise AssertionError(f"{document['type']}: {where}: {error.message}")
    kind = MESSAGE_TYPES[document["type"].rsplit(".v", 1)[0]]
    about = str(document["data"][kind.subject])
    if document["subject"] != about:
        raise AssertionError(f"{document['type']}: {about} is not its subject")


@cache
def _validator(name: str) -> Draft202012Validator | None:
    """Of the published file; of the class where none is published yet."""
    kind = MESSAGE_TYPES[name.rsplit(".v", 1)[0]]
    assert issubclass(kind, Event)
    if not kind.__module__.startswith("bus."):
        return None
    path = ROOT / FOLDER / f"{name}.json"
    if path.exists():
        schema = json.loads(path.read_text())
    else:
        assert name == type_of(kind), f"{name} is neither published nor told"
        schema = event_schema(kind)
    return Draft202012Validator(
        schema, format_checker=Draft202012Validator.FORMAT_CHECKER
    )
