"""Published schemas: a file for each event type, which never changes again."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from actors import DOMAINS
from bus.kit.messages import Event
from scripts.referencing import catalogue

FOLDER = Path("docs/schemas")
LOCK = "published.json"
DRAFT = "https://json-schema.org/draft/2020-12/schema"

Kinds = Iterable[type[Event]]


def told_kinds() -> list[type[Event]]:
    """All events that the shop tells."""
    return [kind for domain in DOMAINS for kind in catalogue.events(domain)]


def type_of(kind: type[Event]) -> str:
    """The `type` of its documents: `orders.order_confirmed.v1`."""
    return f"{kind.kind()}.v{kind.type_version}"


def event_schema(kind: type[Event]) -> dict[str, Any]:
    """The JSON Schema of an event's whole CloudEvents document.

    It says what is there, not why: words may be mended, shapes may not. `data` holds
    every field of the class and nothing else; the envelope may get more members.
    """
    text = {"type": "string"}
    members: dict[str, Any] = {
        "specversion": {"const": "1.0"},
        "id": text | {"format": "uuid"},
        "source": {"const": f"/{kind.domain}"},
        "type": {"const": type_of(kind)},
        "subject": text | {"minLength": 1},
        "time": text | {"pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"},
        "sequence": text | {"pattern": "^[1-9][0-9]*$"},
        "data": _data(kind),
    }
    return {
        "$schema": DRAFT,
        "$id": f"urn:souk:event:{type_of(kind)}",
        "title": type_of(kind),
        "type": "object",
        "required": list(members),
        "properties": members | {"traceparent": text},
    }


def published_text(kind: type[Event]) -> str:
    """The file of an event type."""
    return json.dumps(event_schema(kind), indent=2) + "\n"


def broken(root: Path, kinds: Kinds) -> list[str]:
    """What breaks the promise that a published type stays as it is; one line each."""
    classes = {type_of(kind): kind for kind in kinds}
    lines = []
    for name, digest in sorted(_locked(root).items()):
        path = root / FOLDER / f"{name}.json"
        if path.exists() and _digest(path.read_text()) != digest:
            lines.append(f"{path.name} was edited: bring it back as it was published")
        if name in classes:
            if _digest(published_text(classes[name])) != digest:
                lines.append(f"{name} has changed: set its class's `type_version` up")
        elif not _succeeded(name, classes):
            lines.append(f"{name} is told no more, and nothing took its place")
    return lines


def unpublished(root: Path, kinds: Kinds) -> list[str]:
    """The types without a file, and files that nobody has locked."""
    locked = _locked(root)
    known = {type_of(kind) for kind in kinds}
    missing = {
        name
        for name in known | set(locked)
        if not (root / FOLDER / f"{name}.json").exists()
    }
    return sorted(missing | (known - set(locked)))


def publish(root: Path, kinds: Kinds) -> list[str]:
    """Write the files of types that have none; returns their names.

    A published one is never written over. Call it only where nothing is `broken`.
    """
    wanted = {type_of(kind): kind for kind in kinds}
    names = [name for name in unpublished(root, wanted.values()) if name in wanted]
    locked = dict(_locked(root))
    (root / FOLDER).mkdir(parents=True, exist_ok=True)
    for name in names:
        text = published_text(wanted[name])
        (root / FOLDER / f"{name}.json").write_text(text, encoding="utf-8")
        locked[name] = _digest(text)
    if names:
        text = json.dumps(dict(sorted(locked.items())), indent=2)
        (root / FOLDER / LOCK).write_text(text + "\n", encoding="utf-8")
    return names


def _data(kind: type[Event]) -> dict[str, Any]:
    made = msgspec.json.schema(kind)
    plain: dict[str, Any] = _plain(made, made["$defs"])
    return plain


def _plain(value: Any, known: Mapping[str, Any]) -> Any:
    """A schema without words and references, whose objects are closed and complete."""
    if isinstance(value, list):
        return [_plain(each, known) for each in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        return _plain(known[value["$ref"].rsplit("/", 1)[1]], known)
    words = ("title", "description", "default", "$defs")
    plain = {
        name: (
            {field: _plain(each, known) for field, each in member.items()}
            if name == "properties"
            else _plain(member, known)
        )
        for name, member in value.items()
        if name not in words
    }
    if "properties" in plain:
        plain["required"] = list(plain["properties"])
        plain["additionalProperties"] = False
    return plain


def _succeeded(name: str, classes: Mapping[str, Any]) -> bool:
    """Whether a later version of the type is told in its place."""
    base, _, version = name.rpartition(".v")
    later = (other.rpartition(".v") for other in classes)
    return any(one == base and int(number) > int(version) for one, _, number in later)


def _locked(root: Path) -> dict[str, str]:
    path = root / FOLDER / LOCK
    locked: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    return locked


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
