"""The page of settings, made from the one class; it says which are not read yet."""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from bus.kit.settings import PREFIX, Settings
from scripts.referencing.markdown import page, table

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("actors", "bus", "persistence", "serve_app", "scripts")
OF_A_DOMAIN = {
    "database_urls": f"{PREFIX}<DOMAIN>_DATABASE_URL",
    "shard_counts": f"{PREFIX}<DOMAIN>_SHARDS",
}
# The class reads these itself, behind a method that others call.
BEHIND = {"shards_each": "shards", "shard_counts": "shards", "profile": "profile"}

INTRODUCTION = """\
Every setting is an environment variable. An empty one counts as absent, unknown ones
are ignored, and a bad value stops the start with one line and exit code 2. *Secret*
ones are never printed. The folder of the data is absolute or relative to where the
command is given."""

UNREAD = """\
## Declared, not read yet

Nothing outside the class reads these: setting one is checked and then has no effect.
They belong to work that has not landed."""

HEADS = ("variable", "values", "default", "meaning")


def settings_page() -> str:
    """`docs/reference/settings.md`."""
    schema = Settings.model_json_schema(by_alias=False)["properties"]
    read = [name for name in schema if is_read(name)]
    unread = [name for name in schema if name not in read]
    parts = [INTRODUCTION, table(HEADS, _rows(read, schema))]
    if unread:
        parts += [UNREAD, table(HEADS, _rows(unread, schema))]
    return page("Settings", *parts)


def is_read(field: str) -> bool:
    """Whether any code but the class itself reads the field."""
    name = BEHIND.get(field, field)
    method = name.removesuffix("s")  # `database_url(domain)` reads `database_urls`
    return re.search(rf"settings\.({name}|{method})\b", _code()) is not None


@cache
def _code() -> str:
    """All code that could read a setting."""
    found = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
    mine = ROOT / "scripts" / "referencing"
    return "\n".join(path.read_text() for path in found if mine not in path.parents)


def _rows(names: Iterable[str], schema: dict[str, Any]) -> list[tuple[str, ...]]:
    return [_row(name, schema[name]) for name in names]


def _row(name: str, schema: dict[str, Any]) -> tuple[str, ...]:
    info = Settings.model_fields[name]
    variable = OF_A_DOMAIN.get(name, PREFIX + (info.alias or name).upper())
    secret = not info.repr or any(not getattr(m, "repr", True) for m in info.metadata)
    values = _values(schema) + (", secret" if secret else "")
    said = " ".join((info.description or "").split())
    return (f"`{variable}`", values, _default(name), said)


def _values(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema["type"] == "object":
        return "one for each domain"
    low, high = schema.get("minimum"), schema.get("maximum")
    if "exclusiveMinimum" in schema:
        return f"{schema['type']}, > {schema['exclusiveMinimum']:g} to {high:g}"
    if low is not None:
        return f"{schema['type']}, {low:,} to {high:,}"
    if "pattern" in schema:
        return f"{schema['type']}, `{schema['pattern']}`"
    return "path" if schema.get("format") == "path" else str(schema["type"])


def _default(name: str) -> str:
    value = Settings.model_fields[name].default
    if name in OF_A_DOMAIN or value == "":
        return "—"
    return f"`{value}`"
