"""No person in a fact: what rests in outboxes, handled rows and logs names nobody."""

import importlib
import typing
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from actors import DOMAINS
from actors.kit.declarations import services
from bus.kit.messages import MESSAGE_TYPES, Command, Event, Message, reply_type
from bus.kit.services import replies_of

PERSONAL_WORDS = frozenset(
    {
        "address",
        "birthday",
        "body",
        "city",
        "code",
        "comment",
        "company",
        "email",
        "ip",
        "line1",
        "line2",
        "name",
        "password",
        "person",
        "phone",
        "postal",
        "recipient",
        "secret",
        "street",
        "text",
        "title",
        "to",
        "token",
    }
)
# What has a name or a code and is no person: goods, places, reasons.
NAMED_THINGS = frozenset(
    {
        "CartLine",
        "CartWarning",
        "CategoryView",
        "FieldError",
        "Image",
        "Option",
        "OrderLine",
        "ProductView",
        "WarehouseView",
    }
)
OF_A_THING = frozenset({"decline_code", "reason_code"})
# Its `facts` are ids and numbers by rule; who refuses writes no person into them.
ANYTHING_BY_RULE = frozenset({"RefusalData"})

for _domain in DOMAINS:
    importlib.import_module(f"bus.{_domain}")

# Other tests make messages, and domains, of their own.
TOYS = frozenset({"toy", "echo", "tally"})
OURS = [
    kind
    for kind in MESSAGE_TYPES.values()
    if kind.__module__.startswith("bus.") and kind.domain not in TOYS
]
EVENTS = sorted(
    {kind for kind in OURS if issubclass(kind, Event)},
    key=lambda kind: kind.kind(),
)
REMEMBERED = sorted(
    {kind for kind in OURS if issubclass(kind, Command) and kind.remembered},
    key=lambda kind: kind.kind(),
)


def is_personal(field: str, owner: str, kind: Any) -> bool:
    """Whether a field may say who somebody is, or let somebody in."""
    if field in OF_A_THING or field.endswith("_id") or kind is bool:
        return False
    if field in ("name", "code") and owner in NAMED_THINGS:
        return False
    return bool(PERSONAL_WORDS & set(field.split("_")))


def personal_fields(kind: Any, seen: frozenset[Any] = frozenset()) -> Iterator[str]:
    """The fields of a type, and of all types within it, that may hold a person."""
    if kind is Any or kind is object:
        yield "anything"
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind not in seen:
        yield from _of_struct(kind, seen | {kind})
    elif origin := typing.get_origin(kind):
        if isinstance(origin, type) and issubclass(origin, msgspec.Struct):
            yield from _of_struct(origin, seen | {origin})
        for argument in typing.get_args(kind):
            if argument is not Ellipsis and not isinstance(argument, (str, bytes)):
                yield from personal_fields(argument, seen)


def _of_struct(kind: type[msgspec.Struct], seen: frozenset[Any]) -> Iterator[str]:
    if kind.__name__ in ANYTHING_BY_RULE:
        return
    hints = typing.get_type_hints(kind)
    for field in kind.__struct_fields__:
        if field in _forgotten(kind):
            continue
        if is_personal(field, kind.__name__, hints[field]):
            yield f"{kind.__name__}.{field}"
        elif not isinstance(hints[field], typing.TypeVar):
            yield from personal_fields(hints[field], seen)


def _forgotten(kind: type[msgspec.Struct]) -> set[str]:
    """The fields that a view's own `remembered()` takes out before it is kept."""
    if not hasattr(kind, "remembered"):
        return set()
    mark = object()
    full: Any = kind(**dict.fromkeys(kind.__struct_fields__, mark))
    kept = full.remembered()
    return {f for f in kind.__struct_fields__ if getattr(kept, f) is not mark}


@pytest.mark.parametrize("event", EVENTS, ids=lambda kind: kind.kind())
def test_an_event_names_no_person(event: type[Event]) -> None:
    assert list(personal_fields(event)) == []


@pytest.mark.parametrize("command", REMEMBERED, ids=lambda kind: kind.kind())
def test_a_remembered_answer_names_no_person(command: type[Message]) -> None:
    assert list(personal_fields(reply_type(command))) == []


@pytest.mark.parametrize("subject", sorted(services()))
def test_an_answer_that_a_callers_key_has_remembered_names_no_person(
    subject: str,
) -> None:
    form = services()[subject]
    if "idempotency_key" in form.__struct_fields__:
        for reply in replies_of(form):
            assert list(personal_fields(reply)) == []


@pytest.mark.parametrize("event", EVENTS, ids=lambda kind: kind.kind())
def test_an_event_says_what_it_is_about(event: type[Event]) -> None:
    fields = event.__struct_fields__
    assert event.key in fields
    assert event.subject in fields


@pytest.mark.parametrize("message", OURS, ids=lambda kind: kind.kind())
def test_a_message_is_frozen_and_known_by_its_domain(message: type[Message]) -> None:
    assert message.__struct_config__.frozen
    assert message.domain in DOMAINS
    assert message.key == "" or message.key in message.__struct_fields__


def test_a_person_would_be_found_out() -> None:
    class Deep(msgspec.Struct):
        """Holds an address two types down."""

        contact_email: str

    class Page(msgspec.Struct):
        """Holds some of them."""

        items: tuple[Deep, ...]
        more: dict[str, Any]

    found = list(personal_fields(Page))
    assert found == ["Deep.contact_email", "anything"]
