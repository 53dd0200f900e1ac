"""What the domains declare beside their handlers, found by the table of domains."""

import importlib
from typing import Any

from actors import DOMAINS
from actors.kit.domain import Domain
from bus.kit.alerts import MakeAlert


def domain_class(name: str) -> type[Domain]:
    """The class of a domain in the table of domains."""
    module, _, attribute = DOMAINS[name].partition(":")
    found: type[Domain] = getattr(importlib.import_module(module), attribute)
    return found


def consumed_kinds() -> dict[str, frozenset[str]]:
    """The kinds of events that each domain handles."""
    return {
        name: frozenset(kind.kind() for kind in domain_class(name).consumes())
        for name in DOMAINS
    }


def services() -> dict[str, Any]:
    """The NATS subjects that are served, from the domains' `SERVICES`."""
    found: dict[str, Any] = {}
    for name in DOMAINS:
        found |= getattr(importlib.import_module(f"bus.{name}"), "SERVICES", {})
    return found


def alert() -> MakeAlert | None:
    """What is asked of whom when an event was put aside: a domain says it."""
    modules = (importlib.import_module(f"bus.{name}") for name in DOMAINS)
    found = (getattr(module, "DEAD_LETTER_ALERT", None) for module in modules)
    return next((make for make in found if make is not None), None)
