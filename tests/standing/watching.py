"""A shop under audit, and what a test does to it."""

import asyncio
from dataclasses import dataclass
from typing import Any

from actors.auditing.standing import Auditor
from tests.audit.shop import Sold
from tests.kit.local import LocalShop

FOUND_SECONDS_MAX = 10.0
SHARE = 0.1
"""All domains run in one process here, so that a round takes long."""


@dataclass
class Watched:
    """The shop, its orders by name, and its auditor."""

    shop: LocalShop
    sold: Sold
    auditor: Auditor

    def standing(self) -> set[tuple[str, str, str]]:
        return set(self.auditor.findings.standing())

    async def until(self, right: Any, seconds: float = FOUND_SECONDS_MAX) -> float:
        """Wait until something holds, at most so long; how long it took."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while not right():
            assert loop.time() - begun < seconds, self.standing()
            await asyncio.sleep(0.05)
        return loop.time() - begun
