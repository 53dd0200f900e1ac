"""The tables as the last release knew them, and what a newer form may do to them.

Two releases serve side by side while a shop is rolled: the old one reads and writes a
database that is already in the new form. So a migration expands: it adds tables,
columns that are empty or have a default, indexes. It contracts a release later what the
last one said that it no longer uses, by `info={"unused": True}` at a column or table.

`python -m tests.architecture.released` writes `released.json` anew: at a release.
"""

import json
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from actors import DOMAINS
from persistence.kit.migrations import metadata_of

RELEASED = Path(__file__).with_name("released.json")
UNUSED = "unused"

Form = dict[str, Any]


def form_of(metadata: sa.MetaData) -> dict[str, Form]:
    """The tables of a domain: their columns, and the keys that conflicts name."""
    return {table.name: _table(table) for table in metadata.sorted_tables}


def breaches(old: dict[str, Form], new: dict[str, Form]) -> list[str]:
    """What the last release's code would stumble over, in words."""
    found = []
    for name, table in old.items():
        if name not in new:
            if not table[UNUSED]:
                found.append(f"{name} is gone")
            continue
        found += [f"{name}.{word}" for word in _of_columns(table, new[name])]
        found += [f"{name}: {word}" for word in _of_keys(table, new[name])]
    return found


def _of_columns(old: Form, new: Form) -> list[str]:
    found = []
    for name, column in old["columns"].items():
        now = new["columns"].get(name)
        if now is None:
            found += [] if column.get(UNUSED) else [f"{name} is gone"]
        elif now["type"] != column["type"]:
            found.append(f"{name} was {column['type']} and is {now['type']}")
        elif column.get("may_be_left_out") and not now.get("may_be_left_out"):
            found.append(f"{name} may no longer be left out")
        elif column.get("null") and not now.get("null"):
            found.append(f"{name} may no longer be null")
    for name, column in new["columns"].items():
        if name not in old["columns"] and not column.get("may_be_left_out"):
            found.append(f"{name} is new and cannot be left out")
    return found


def _of_keys(old: Form, new: Form) -> list[str]:
    """A key that is gone breaks `ON CONFLICT`; one that is new refuses old writes."""
    gone = [key for key in old["keys"] if key not in new["keys"]]
    more = [key for key in new["keys"] if key not in old["keys"]]
    return [f"key {key} is gone" for key in gone] + [
        f"key {key} is new" for key in more
    ]


def _table(table: sa.Table) -> Form:
    return {
        UNUSED: bool(table.info.get(UNUSED)),
        "columns": {column.name: _column(column) for column in table.columns},
        "keys": sorted(_keys(table)),
    }


def _column(column: sa.Column[Any]) -> Form:
    """Its type and what is true of it."""
    null = bool(column.nullable)
    made = column.server_default is not None or column.identity is not None
    flags = {
        "null": null,
        "may_be_left_out": null or made or column.computed is not None,
        UNUSED: bool(column.info.get(UNUSED)),
    }
    said = {name: True for name, is_so in flags.items() if is_so}
    return {"type": column.type.compile(postgresql.dialect()), **said}


def _keys(table: sa.Table) -> list[str]:
    found = [_names(table.primary_key.columns)]
    for one in table.constraints:
        if isinstance(one, sa.UniqueConstraint):
            found += [_names(one.columns)]
    for index in table.indexes:
        if index.unique:
            partly = index.dialect_options["postgresql"]["where"]
            where = "" if partly is None else f" where {partly}"
            found.append(", ".join(str(each) for each in index.expressions) + where)
    return found


def _names(columns: Any) -> str:
    return ", ".join(column.name for column in columns)


def read_released() -> dict[str, dict[str, Form]]:
    """The form of every domain at the last release."""
    released: dict[str, dict[str, Form]] = json.loads(RELEASED.read_text())
    return released


if __name__ == "__main__":
    forms = {domain: form_of(metadata_of(domain)) for domain in DOMAINS}
    domains = [
        f"{json.dumps(domain)}: {{\n"
        + ",\n".join(f" {json.dumps(t)}: {json.dumps(form[t])}" for t in sorted(form))
        + "\n}"
        for domain, form in forms.items()
    ]
    RELEASED.write_text("{\n" + ",\n".join(domains) + "\n}\n")
