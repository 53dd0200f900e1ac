"""A provider that fails is told of once, and once more when it answers again."""

import asyncio
from typing import Any

import pytest

from tests.payments.support import charge, settings_for, until
from tests.payments.test_charges import told


async def news(s: Any) -> list[str]:
    return [name for name in await told(s) if name.startswith("provider_")]


async def fails(s: Any, bank: Any, asks: int) -> None:
    await bank.faults(refuse=True)
    results = await asyncio.gather(*(s.ask(charge()) for _ in range(asks)))
    assert {result.status for result in results} == {"UNKNOWN"}


async def told_of(s: Any, *names: str) -> None:
    async def there() -> bool:
        return await news(s) == list(names)

    await until(there)


@pytest.mark.parametrize("shards", [pytest.param(1, marks=pytest.mark.full), 3])
@pytest.mark.usefixtures("hasty")
async def test_a_failing_provider_is_told_of_once_until_it_recovers(
    shop, bank, shards
) -> None:
    async with shop("payments", shards=shards, settings=settings_for(bank)) as s:
        await fails(s, bank, 40)
        await told_of(s, "provider_failing")
        for number in range(shards):
            await s.kill("payments", number)
            await s.restart("payments", number)
        await fails(s, bank, 40)
        assert await news(s) == ["provider_failing"]
        await bank.faults()
        results = await asyncio.gather(*(s.ask(charge()) for _ in range(20)))
        assert {result.status for result in results} == {"SUCCEEDED"}
        await told_of(s, "provider_failing", "provider_recovered")
        await fails(s, bank, 40)
        await told_of(s, "provider_failing", "provider_recovered", "provider_failing")
        failing = [e for e in await s.events("payments") if "failing" in e["type"]]
        assert failing[0]["data"] == {"provider": "sandbox", "failures": 5}


@pytest.mark.usefixtures("hasty")
async def test_a_few_unanswered_asks_are_no_failure(shop, bank) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        for _ in range(3):
            await bank.faults(refuse=True)
            await s.ask(charge())
            await bank.faults()
            assert (await s.ask(charge())).status == "SUCCEEDED"
        assert await news(s) == []
        row = "SELECT * FROM providers WHERE failing_since IS NOT NULL"
        assert await s.rows("payments", row) == []


@pytest.mark.usefixtures("hasty")
async def test_a_recovery_is_seen_without_any_payment(shop, bank, monkeypatch) -> None:
    monkeypatch.setattr("actors.payments.chores.PROBE_SECONDS", 0.2)
    async with shop("payments", settings=settings_for(bank)) as s:
        await fails(s, bank, 6)
        connection = await s.database("payments")
        # Nothing but the probe asks the bank from now on.
        await connection.execute("DELETE FROM due WHERE name LIKE 'attempt:%'")
        await told_of(s, "provider_failing")
        await bank.faults()
        await told_of(s, "provider_failing", "provider_recovered")
        probes = "SELECT * FROM due WHERE name LIKE 'provider:%'"
        assert await s.rows("payments", probes) == []


def batches(shard) -> int:
    return shard.counts.totals(shard)["batches_total"]


async def test_a_good_charge_costs_the_watching_no_statement(shop, bank) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        await s.ask(charge())
        shard = s.shard("payments")

        async def quiet() -> bool:  # what a start leaves to do is done
            before = batches(shard)
            await asyncio.sleep(0.3)
            return bool(batches(shard) == before)

        await until(quiet)
        before = batches(shard)
        for _ in range(5):
            assert (await s.ask(charge())).status == "SUCCEEDED"
        assert batches(shard) - before == 10  # open and close, nothing else
