"""The diagrams of the databases, drawn from the tables that the code declares."""

import re

import sqlalchemy as sa

from actors import DOMAINS
from persistence.kit.migrations import metadata_of
from persistence.kit.tables import domain_metadata
from scripts.referencing.markdown import page, table

INTRODUCTION = """\
Each domain has one database and one role that can open no other. The kit's tables
stand in every one of them; they are drawn once, at the end. A solid line is a foreign
key. A dotted line is a column that names a row of the same database without a
constraint: what one shard writes in one transaction needs none. Between databases
there are ids only. A partitioned table has one partition a day, which the kit makes
and drops."""


def database_page() -> str:
    """`docs/database.md`."""
    kit = set(domain_metadata("").tables)
    parts = [INTRODUCTION]
    for domain in DOMAINS:
        own = [each for name, each in _tables(domain) if name not in kit]
        parts += [f"## {domain}", _diagram(own), _meanings(own)]
    shared = [each for name, each in sorted(domain_metadata("").tables.items())]
    parts += ["## The kit's tables, in every database", _diagram(shared)]
    return page("The databases", *parts, _meanings(shared))


def _tables(domain: str) -> list[tuple[str, sa.Table]]:
    return sorted(metadata_of(domain).tables.items())


def _diagram(tables: list[sa.Table]) -> str:
    lines = ["```mermaid", "erDiagram"]
    for each in tables:
        lines += [f"  {each.name} {{", *(_column(one) for one in each.columns), "  }"]
    lines += [line for each in tables for line in _lines(each, tables)]
    return "\n".join([*lines, "```"])


def _column(column: sa.Column[object]) -> str:
    kind = re.sub(r"[^A-Za-z0-9]+", "_", str(_type(column)).lower()).strip("_")
    marks = [
        mark
        for mark, holds in (("PK", column.primary_key), ("FK", column.foreign_keys))
        if holds
    ]
    return f"    {kind} {column.name} {','.join(marks)}".rstrip()


def _type(column: sa.Column[object]) -> str:
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415

    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    return column.type.compile(dialect=dialect)


def _lines(each: sa.Table, tables: list[sa.Table]) -> list[str]:
    """The lines from the rows that a table's columns name."""
    found = []
    for column in each.columns:
        keys = [key.column.table.name for key in column.foreign_keys]
        found += [f"  {name} ||--o{{ {each.name} : {column.name}" for name in keys]
        if not keys and (named := _named(column, tables)):
            found.append(f"  {named} ||..o{{ {each.name} : {column.name}")
    return found


def _named(column: sa.Column[object], tables: list[sa.Table]) -> str | None:
    """The table whose row `<singular>_id` names, if it is in this database."""
    wanted = f"{column.name.removesuffix('_id')}s"
    names = {table.name for table in tables} - {column.table.name}
    return wanted if column.name.endswith("_id") and wanted in names else None


def _meanings(tables: list[sa.Table]) -> str:
    return table(("table", "meaning"), [(f"`{t.name}`", _meaning(t)) for t in tables])


def _meaning(each: sa.Table) -> str:
    said = each.comment or _docstring(each)
    split = " Partitioned by day." if each.kwargs.get("postgresql_partition_by") else ""
    return f"{said.rstrip('.')}.{split}" if said else split.strip() or "—"


def _docstring(each: sa.Table) -> str:
    """What the class of a table says it is."""
    from sqlmodel.main import default_registry  # noqa: PLC0415

    for mapper in default_registry.mappers:
        if mapper.local_table is each:
            return " ".join((mapper.class_.__doc__ or "").split("\n\n")[0].split())
    return ""
