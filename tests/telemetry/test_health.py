"""Health and metrics over the shards: who is silent is said, and holds nobody up."""

import asyncio
from typing import Any

from actors import DOMAINS
from actors.kit import reach
from actors.kit.lane import Address, ShardGone
from actors.kit.reach import ShopAsker
from bus.kit.families import SHARD_UP
from bus.kit.messages import encode
from bus.kit.metrics import Sample
from bus.kit.settings import Settings


class Reach:
    """Shards that answer, but for one that is frozen and one that is gone."""

    async def health(self, address: Address) -> dict[str, Any]:
        if str(address) == "orders/0":
            await asyncio.sleep(60)
        if str(address) == "users/0":
            raise ShardGone(str(address))
        return {"ready": True, "database": str(address) != "files/0"}

    async def call(self, name: str, method: str) -> bytes:
        if name == "orders/0":
            await asyncio.sleep(60)
        if name == "users/0":
            return b"\xc1"  # nothing that anybody can read
        told = [Sample("souk_batches_total", (), (1.0,))]
        return encode(told if method == "measures" else {"connected": True})


def asker(monkeypatch: Any) -> ShopAsker:
    """An asker of two shards of each domain, soon impatient."""
    monkeypatch.setattr(reach, "HEALTH_SECONDS_MAX", 0.05)
    monkeypatch.setattr(reach, "MEASURE_SECONDS_MAX", 0.05)
    made = ShopAsker(Settings(shards=2), "test")
    made._reach = Reach()  # type: ignore[assignment]
    return made


async def test_each_part_is_said_to_be_what_it_is(monkeypatch) -> None:
    async with asyncio.timeout(2):
        found = await asker(monkeypatch).health()
    fine = {"pool": True, "database": True}
    assert found.pop("bus") == {"pool": True, "nats": True}
    assert found.pop("orders") == {"pool": False, "database": True}
    assert found.pop("users") == {"pool": False, "database": True}
    assert found.pop("files") == {"pool": True, "database": False}
    assert found == dict.fromkeys(set(DOMAINS) - {"orders", "users", "files"}, fine)


async def test_a_silent_shard_is_told_as_down(monkeypatch) -> None:
    async with asyncio.timeout(2):
        samples = await asker(monkeypatch).measures()
    down = {s.labels for s in samples if s.family == SHARD_UP.name and not s.values[0]}
    assert down == {
        (("domain", "orders"), ("shard", "0")),
        (("domain", "users"), ("shard", "0")),
    }
