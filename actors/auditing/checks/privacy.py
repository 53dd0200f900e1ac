"""Privacy: nothing of a person in what is told, remembered, or waits."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import msgspec

from actors.auditing.books import Books, Finding

NAME_CHARACTERS_MIN = 3
TEXT_CHARACTERS_MIN = 6

_EMAIL = re.compile(r"[^\s\"'<>(),:;]+@[^\s\"'<>(),:;]+")
_WORD = re.compile(r"[\w'.-]+")


class People:
    """What belongs to persons, and whether a text holds any of it.

    E-mail addresses, phones, addresses' first lines and whole names are found
    anywhere in a text; a first or last name alone only where it is the whole of one,
    for it may be a word of something else.
    """

    def __init__(self, books: Books) -> None:
        self.emails = {person.email.lower() for person in books.people}
        self.emails |= {order.email.lower() for order in books.orders if order.email}
        self.names: set[str] = set()
        self.alone: set[str] = set()
        self.texts: set[str] = set()
        for person in books.people:
            self._name(f"{person.first_name} {person.last_name}")
            self.alone |= {person.first_name, person.last_name}
            self._text(person.phone)
        for entry in books.addresses:
            self._name(entry.name)
            self._text(entry.phone, entry.line1)
        for order in books.orders:
            address = msgspec.json.decode(order.shipping)
            self._name(address["name"])
            self._text(address.get("phone"), address["line1"])
        self.alone = {
            name
            for name in self.alone
            # MAIN or usd is nobody's name, whatever somebody calls himself.
            if len(name) >= NAME_CHARACTERS_MIN
            and not (name.isupper() or name.islower())
        }

    def found(self, values: Any) -> str | None:
        """What kind of thing of a person is somewhere in decoded values."""
        for text in _texts(values):
            if kind := self._in_text(text):
                return kind
        return None

    def _in_text(self, text: str) -> str | None:
        if text in self.alone:
            return "a name"
        if text in self.texts:
            return "a phone or an address"
        if "@" in text:
            hits = {hit.lower().rstrip(".") for hit in _EMAIL.findall(text)}
            if hits & self.emails:
                return "an e-mail address"
        words = [word.lower() for word in _WORD.findall(text)] if " " in text else []
        pairs = pairwise(words)
        if any(f"{first} {last}" in self.names for first, last in pairs):
            return "a whole name"
        return None

    def _name(self, name: str) -> None:
        words = [word.lower() for word in _WORD.findall(name)]
        if len(words) >= 2:
            self.names.add(" ".join(words[:2]))
            self.names.add(f"{words[0]} {words[-1]}")

    def _text(self, *texts: str | None) -> None:
        self.texts |= {
            text for text in texts if text and len(text) >= TEXT_CHARACTERS_MIN
        }


def no_person_in_outbox(books: Books) -> Iterator[Finding]:
    """No told event holds anything of a person."""
    people = People(books)
    for domain, kit in books.kits.items():
        for told in kit.told:
            if kind := people.found(msgspec.json.decode(told.row.payload)):
                yield f"{domain} {told.row.id}", f"{told.kind} holds {kind}"


def no_person_in_stream(books: Books) -> Iterator[Finding]:
    """No published event holds anything of a person."""
    people = People(books)
    for event in books.stream.events:
        if kind := people.found(msgspec.json.decode(event.payload)):
            yield event.id, f"{event.subject} holds {kind}"


def no_person_in_handled(books: Books) -> Iterator[Finding]:
    """No remembered answer holds anything of a person."""
    people = People(books)
    for domain, kit in books.kits.items():
        for row in kit.handled:
            for name, body in (("answer", row.answer), ("resume", row.resume)):
                if body and (kind := people.found(_decoded(body))):
                    yield f"{domain} {row.command_id}", f"its {name} holds {kind}"


def no_person_in_due(books: Books) -> Iterator[Finding]:
    """No message that waits for its time holds anything of a person."""
    people = People(books)
    for domain, kit in books.kits.items():
        for row in kit.due:
            if kind := people.found([row.name, _decoded(row.message)]):
                yield f"{domain} {row.kind} at {row.at}", f"holds {kind}"


def _decoded(body: bytes) -> Any:
    """Msgpack as values; what is none is searched as the text that it looks like."""
    try:
        return msgspec.msgpack.decode(body)
    except msgspec.DecodeError:
        return body.decode("utf-8", "replace")


def _texts(values: Any) -> Iterator[str]:
    """All texts in decoded values, keys included."""
    left = [values]
    while left:
        value = left.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, bytes):
            yield value.decode("utf-8", "replace")
        elif isinstance(value, dict):
            left += [*value.keys(), *value.values()]
        elif isinstance(value, list):
            left += value
