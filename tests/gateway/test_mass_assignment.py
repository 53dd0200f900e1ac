"""No body takes a field that is not its own: not one that views or tables have."""

import json
from collections.abc import Iterator

import msgspec
import pytest

from actors import DOMAINS
from persistence.kit.migrations import metadata_of
from serve_app.app import routers
from serve_app.kit import problems
from serve_app.kit.bodies import Body, parse_body
from serve_app.kit.problems import Problem

BODIES_MIN = 40
NAMES_MIN = 200
LURES = ("role", "is_admin", "admin", "__class__", "__proto__", "constructor", "$where")


def below(kind: type) -> Iterator[type]:
    """All kinds of it that the shop's own modules declare."""
    for each in kind.__subclasses__():
        if each.__module__.startswith(("serve_app.", "bus.")):
            yield each
        yield from below(each)


def fields() -> set[str]:
    """Every field of a message or view, and every column of a table."""
    found = {name for kind in below(msgspec.Struct) for name in kind.__struct_fields__}
    for domain in DOMAINS:
        for table in metadata_of(domain).tables.values():
            found |= {column.name for column in table.columns}
    return found | set(LURES)


def test_no_body_takes_what_only_views_and_tables_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert routers()
    monkeypatch.setattr(problems, "ERRORS_MAX", 10_000)
    names, bodies = fields(), set(below(Body))
    assert len(names) > NAMES_MIN
    assert len(bodies) > BODIES_MIN
    for body in bodies:
        own = set(body.model_fields)
        foreign = names - own - {field.alias for field in body.model_fields.values()}
        raw = json.dumps(dict.fromkeys(foreign, 1)).encode()
        with pytest.raises(Problem) as refused:
            parse_body(body, raw, "application/json")
        assert refused.value.status == 422
        unknown = {e.field for e in refused.value.errors if e.code == "unknown-field"}
        assert unknown == foreign, body
        assert body.model_config["extra"] == "forbid"
        assert body.model_config["strict"] is True
