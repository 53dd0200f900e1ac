"""One bank for the run; every test finds it well."""

from collections.abc import AsyncIterator, Iterator

import pytest

from actors.payments import Payments
from scripts.embedded.postgres import Postgres
from tests.conftest import free_port
from tests.payments.support import Bank


@pytest.fixture(scope="session")
def bank_process(postgres: Postgres) -> Iterator[Bank]:
    """The bank's process, with a database of its own."""
    bank = Bank(free_port(), postgres.ensure("bank", "bank"), free_port())
    bank.start()
    yield bank
    bank.stop()


@pytest.fixture
async def bank(bank_process: Bank) -> AsyncIterator[Bank]:
    """The bank, without any fault."""
    await bank_process.ready()
    await bank_process.faults()
    yield bank_process
    await bank_process.ready()
    await bank_process.faults()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Payments wait one second for the provider, not fifteen."""
    monkeypatch.setattr(Payments, "provider_timeout_seconds", 1.0)
