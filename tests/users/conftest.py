"""What the tests of users share: cheap passwords, and people to test with."""

import pytest

import actors.users.people


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash with the least cost that bcrypt knows: the tests hash hundreds of times."""
    monkeypatch.setattr(actors.users.people, "ROUNDS", 4)
