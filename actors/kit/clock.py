"""Time as the kit is given it, so that a simulator can give it another."""

import asyncio
import time


class Clock:
    """The real clock: seconds since the epoch, and seconds that only go forward."""

    def now(self) -> float:
        """Seconds since the epoch, for deadlines that cross processes."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never go back, for durations."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
