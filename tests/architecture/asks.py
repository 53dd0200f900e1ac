"""Who asks whom: read from the messages that each domain's actors make."""

import ast
import importlib
from pathlib import Path

from actors import DOMAINS
from bus.kit.messages import Command, Event, Message, Query
from tests.architecture.tree import cell_files, imports, parsed


def asked_messages(domain: str) -> dict[type[Message], str]:
    """The commands and queries of other domains that a domain makes, with the place.

    A domain that makes a message of another one asks it: there is nothing else to do
    with one.
    """
    found: dict[type[Message], str] = {}
    for path in cell_files("actors", domain):
        known = _foreign_messages(path, domain)
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                message = known.get(node.func.id)
                if message is not None and issubclass(message, (Command, Query)):
                    found[message] = f"{path.name}:{node.lineno}"
    return found


def told_events(domain: str) -> dict[type[Message], str]:
    """The events of other domains that a domain makes: none, if all is well."""
    return {
        message: f"{path.name}:{node.lineno}"
        for path in cell_files("actors", domain)
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        if (message := _foreign_messages(path, domain).get(node.func.id))
        if issubclass(message, Event)
    }


def graph() -> dict[str, set[str]]:
    """For each domain the domains that it asks."""
    return {
        domain: {message.domain for message in asked_messages(domain)}
        for domain in DOMAINS
    }


def _foreign_messages(path: Path, domain: str) -> dict[str, type[Message]]:
    """The message classes that a file imports from other domains' bus cells."""
    known: dict[str, type[Message]] = {}
    for found in imports(path):
        parts = found.module.split(".")
        if parts[0] != "bus" or len(parts) < 2 or parts[1] not in DOMAINS:
            continue
        if parts[1] == domain:
            continue
        module = importlib.import_module(found.module)
        for name in found.names:
            value = getattr(module, name)
            if isinstance(value, type) and issubclass(value, (Command, Query, Event)):
                known[name] = value
    return known
