"""Asks go down, facts go round: the graph of asks has no cycle."""

from graphlib import TopologicalSorter

import pytest

from actors import DOMAINS
from tests.architecture.asks import asked_messages, graph, told_events
from tests.architecture.tree import cell_files, imports

# Who stands higher may ask who stands lower. Orders are read, never changed, by who
# writes to a guest: a guest's address stands on the order alone.
FLOORS = (
    {"notifications"},
    {"orders"},
    {"products", "inventory", "payments", "users"},
    {"files", "messaging"},
)
READ_ONLY = {("notifications", "orders"): {"GetOrder", "GetOrderContact"}}


def floor(domain: str) -> int:
    """How high a domain stands; 0 is the highest."""
    return next(n for n, domains in enumerate(FLOORS) if domain in domains)


def test_every_domain_stands_on_one_floor() -> None:
    assert sorted(name for domains in FLOORS for name in domains) == sorted(DOMAINS)


def test_asks_between_domains_have_no_cycle() -> None:
    assert len(list(TopologicalSorter(graph()).static_order())) == len(DOMAINS)


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_domain_asks_only_lower_ones(domain: str) -> None:
    wrong = {
        f"{place}: {domain} makes {message.__name__} of {message.domain}"
        for message, place in asked_messages(domain).items()
        if floor(message.domain) <= floor(domain)
    }
    assert wrong == set()


@pytest.mark.parametrize(("asker", "asked"), READ_ONLY)
def test_what_is_asked_of_a_neighbour_only_reads(asker: str, asked: str) -> None:
    names = {
        message.__name__ for message in asked_messages(asker) if message.domain == asked
    }
    assert names <= READ_ONLY[asker, asked]


def test_orders_asks_those_that_the_order_process_names() -> None:
    assert {"products", "inventory", "payments"} <= graph()["orders"]
    assert "messaging" in graph()["notifications"]


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_domain_tells_only_events_of_its_own(domain: str) -> None:
    assert told_events(domain) == {}


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_domain_sends_nobody_elses_steps(domain: str) -> None:
    wrong = [
        str(found)
        for layer in ("actors", "serve_app")
        for path in cell_files(layer, domain)
        for found in imports(path)
        if found.module.startswith("bus.") and found.module.endswith(".steps")
        if layer == "serve_app" or found.module.split(".")[1] != domain
    ]
    assert wrong == []
