"""What a replica remembers of strangers, filled past its bound."""

import pytest

from bus.kit.outside import Proxies
from serve_app.kit import clients
from serve_app.kit.clients import Clients


def test_addresses_are_forgotten_when_there_are_too_many_and_found_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clients, "KNOWN_MAX", 10)
    found = Clients(Proxies(), b"secret")
    scope = {"client": ("127.0.0.1", 1)}
    said = [(b"10.0.0.%d" % number,) for number in range(25)]
    first = [found.of(scope, each) for each in said]
    assert len(found._known) <= 10
    assert [found.of(scope, each) for each in said] == first
    assert len({each.number for each in first}) == 25
    found.of(scope, (b"1" * clients.REMEMBERED_BYTES_MAX + b"1",))
    assert len(found._known) <= 10
