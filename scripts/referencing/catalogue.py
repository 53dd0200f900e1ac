"""All messages of the shop, by domain and kind, as the code declares them."""

import importlib

from actors import DOMAINS
from actors.kit.declarations import domain_class
from actors.kit.domain import Handler
from bus.kit.messages import MESSAGE_TYPES, Command, Event, Message, Query


def load() -> None:
    """Import every domain, so that its messages are known."""
    for domain in DOMAINS:
        importlib.import_module(f"bus.{domain}")
        domain_class(domain)


def commands(domain: str) -> list[type[Message]]:
    """What a domain can be asked to change, and by processes of its own."""
    return _of(domain, Command)


def queries(domain: str) -> list[type[Message]]:
    """What a domain can be asked."""
    return _of(domain, Query)


def events(domain: str) -> list[type[Event]]:
    """What a domain tells."""
    return [kind for kind in _of(domain, Event) if issubclass(kind, Event)]


def handler(kind: type[Message]) -> Handler | None:
    """Who handles a message in its own domain."""
    return domain_class(kind.domain).handlers.get(kind)


def consumers(kind: type[Message]) -> list[str]:
    """The domains that handle an event."""
    return [name for name in DOMAINS if kind in domain_class(name).consumes()]


def is_step(kind: type[Message]) -> bool:
    """Whether a message is internal: only processes of its own domain send it."""
    return kind.__module__.endswith(".steps")


def _of(domain: str, kind: type[Message]) -> list[type[Message]]:
    load()
    found = {name: each for name, each in MESSAGE_TYPES.items() if _lives(each, domain)}
    return [found[name] for name in sorted(found) if issubclass(found[name], kind)]


def _lives(kind: type[Message], domain: str) -> bool:
    """Whether a message is one of the shop's: tests may define more."""
    return kind.__module__.split(".")[:2] == ["bus", domain]
