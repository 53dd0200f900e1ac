"""The published schemas: one for each event, valid, sharp, and never changed."""

import json
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import pytest
from jsonschema import Draft202012Validator

from bus.kit.messages import Event
from bus.kit.values import Money
from bus.orders import OrderConfirmed
from scripts.referencing.schemas import (
    FOLDER,
    LOCK,
    broken,
    publish,
    told_kinds,
    type_of,
    unpublished,
)
from tests.kit.schemas import check_event

ROOT = Path(__file__).resolve().parents[2]
KINDS = told_kinds()
ID = "0199f7d4-7c00-7000-8000-000000000001"
CONFIRMED: dict[str, Any] = {
    "specversion": "1.0",
    "id": ID,
    "source": "/orders",
    "type": "orders.order_confirmed.v1",
    "subject": ID,
    "time": "2031-05-01T12:00:00.123456Z",
    "sequence": "2",
    "data": {
        "order_id": ID,
        "user_id": None,
        "number": "SK-1",
        "total": {"amount": 1999, "currency": "USD"},
        "skus": ["A"],
    },
}


class WithMore(OrderConfirmed, frozen=True, kw_only=True):
    """A field was added, with a default."""

    note_id: UUID | None = None


class WithOther(OrderConfirmed, frozen=True, kw_only=True):
    """A field has another type."""

    skus: tuple[int, ...]


class WithFewer(OrderConfirmed, frozen=True, kw_only=True):
    """A field takes fewer values."""

    number: Literal["SK-1", "SK-2"]


class WithAnother(OrderConfirmed, frozen=True, kw_only=True):
    """A field deep inside is another one."""

    total: tuple[Money, ...]


class Second(WithMore, frozen=True, kw_only=True):
    """The same as another version."""

    type_version = 2


def instead(kind: type[Event]) -> list[type[Event]]:
    """The shop's events, with this one in the place of OrderConfirmed."""
    return [kind if each is OrderConfirmed else each for each in KINDS]


def test_every_event_is_published_as_it_is_told() -> None:
    """Red? `scripts/reference` publishes what is new; what is there must not change."""
    assert broken(ROOT, KINDS) == []
    assert unpublished(ROOT, KINDS) == []
    names = {path.name for path in (ROOT / FOLDER).glob("*.json")} - {LOCK}
    assert names >= {f"{type_of(kind)}.json" for kind in KINDS}


@pytest.mark.parametrize("path", sorted((ROOT / FOLDER).glob("*.v*.json")), ids=str)
def test_a_published_schema_is_one(path: Path) -> None:
    schema = json.loads(path.read_text())
    Draft202012Validator.check_schema(schema)
    assert f"{schema['title']}.json" == path.name
    assert schema["$id"] == f"urn:souk:event:{schema['title']}"
    assert schema["properties"]["data"]["additionalProperties"] is False


@pytest.mark.parametrize("changed", [WithMore, WithOther, WithFewer, WithAnother])
def test_a_published_event_may_not_change(tmp_path: Path, changed: type[Event]) -> None:
    publish(tmp_path, KINDS)
    before = _files(tmp_path)
    assert broken(tmp_path, instead(changed)) == [
        "orders.order_confirmed.v1 has changed: set its class's `type_version` up"
    ]
    assert publish(tmp_path, instead(changed)) == []
    assert _files(tmp_path) == before


def test_another_shape_is_another_version_beside_the_first(tmp_path: Path) -> None:
    publish(tmp_path, KINDS)
    before = _files(tmp_path)
    kinds = instead(Second)
    assert broken(tmp_path, kinds) == []
    assert unpublished(tmp_path, kinds) == ["orders.order_confirmed.v2"]
    assert publish(tmp_path, kinds) == ["orders.order_confirmed.v2"]
    after = _files(tmp_path)
    assert (
        after["orders.order_confirmed.v1.json"]
        == before["orders.order_confirmed.v1.json"]
    )
    assert broken(tmp_path, kinds) == []
    assert publish(tmp_path, kinds) == []


def test_an_event_is_not_given_up(tmp_path: Path) -> None:
    publish(tmp_path, KINDS)
    left = [kind for kind in KINDS if kind is not OrderConfirmed]
    assert broken(tmp_path, left) == [
        "orders.order_confirmed.v1 is told no more, and nothing took its place"
    ]


def test_a_file_that_was_edited_or_lost_is_missed(tmp_path: Path) -> None:
    publish(tmp_path, KINDS)
    before = _files(tmp_path)
    path = tmp_path / FOLDER / "orders.order_confirmed.v1.json"
    path.write_text(path.read_text().replace("uuid", "text"))
    assert broken(tmp_path, KINDS) == [
        f"{path.name} was edited: bring it back as it was published"
    ]
    path.unlink()
    assert unpublished(tmp_path, KINDS) == ["orders.order_confirmed.v1"]
    assert broken(tmp_path, instead(WithMore)) != []
    assert publish(tmp_path, KINDS) == ["orders.order_confirmed.v1"]
    assert _files(tmp_path) == before


def test_a_document_that_is_what_is_published_is_let_pass() -> None:
    check_event(CONFIRMED)
    check_event({**CONFIRMED, "traceparent": "00-1-2-00"})


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "1"},
        {"source": "/payments"},
        {"subject": "another"},
        {"time": "2031-05-01 12:00"},
        {"sequence": 2},
        {"sequence": "0"},
        {"data": None},
        {"data": {**CONFIRMED["data"], "email": "ann@example.com"}},
        {"data": {**CONFIRMED["data"], "order_id": "1"}},
        {"data": {**CONFIRMED["data"], "total": {"amount": 1.5, "currency": "USD"}}},
        {"data": {**CONFIRMED["data"], "total": {"amount": 1}}},
        {"data": {"order_id": ID}},
    ],
    ids=str,
)
def test_a_document_that_is_not_is_found_out(wrong: dict[str, Any]) -> None:
    with pytest.raises(AssertionError, match=r"orders\.order_confirmed\.v1: "):
        check_event({**CONFIRMED, **wrong})


def _files(root: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (root / FOLDER).glob("*")}
