"""Standbys of a test's own process, which can die and freeze."""

import asyncio
from typing import TYPE_CHECKING, Any

import structlog

from actors.kit.lane import Address, ShardGone
from actors.kit.shard import Shard
from actors.kit.standby import Leave, Standby

if TYPE_CHECKING:
    from tests.kit.local import LocalShop


class LocalStandbys:
    """What the callers of a shop reach its standbys by."""

    def __init__(self, shop: "LocalShop", count: int) -> None:
        self._shop = shop
        self.frozen: dict[int, asyncio.Event] = {}
        self.replaced: list[int] = []
        self.woken: list[Address] = []
        self.of: list[Standby | None] = [self._make(n) for n in range(count)]

    async def ask(self, number: int, method: str, *values: Any) -> Any:
        standby = self.of[number]
        if number in self.frozen:
            await self.frozen[number].wait()
        if standby is None or self.of[number] is not standby:
            raise ShardGone(f"standby/{number}")
        if method == "ping":
            return b""
        answer = await getattr(standby, method)(*values)
        if self.of[number] is not standby:
            raise ShardGone(f"standby/{number}")  # the dead answer nothing
        return answer

    async def replace(self, number: int) -> None:
        self.replaced.append(number)
        await self.kill(number)
        self.of[number] = self._make(number)

    async def kill(self, number: int) -> None:
        """End one as SIGKILL would, with all that it holds."""
        standby, self.of[number] = self.of[number], None
        if frozen := self.frozen.pop(number, None):
            frozen.set()  # who waited for it hears that it is dead
        if standby is not None:
            for held in standby._held.values():
                if held.made:
                    await held.shard.database.drop_writer()
            await standby.stop()

    def holding(self, address: Address) -> list[int]:
        """Which of them hold a shard."""
        return [
            number
            for number, standby in enumerate(self.of)
            if standby is not None and standby.holds(address)
        ]

    async def stop(self) -> None:
        """End all."""
        for standby in self.of:
            if standby is not None:
                await standby.stop()

    def _make(self, number: int) -> Standby:
        shop = self._shop

        async def is_dead(address: Address) -> bool:
            if shop.transport.shards.get(address, self) is None:
                return True
            if address in shop.transport.frozen:
                return False
            try:
                await shop.transport.ping(address)
            except ShardGone:
                return True
            return False

        def make(address: Address, leave: Leave) -> Shard:
            shard = shop.make(*address)
            shard._leave = leave
            return shard

        async def wake(address: Address) -> None:
            self.woken.append(address)
            raise ShardGone(str(address))

        log = structlog.get_logger("standby")
        name = f"standby/{number}"
        return Standby(make, is_dead, wake, log=log, name=name, clock=shop.clock)
