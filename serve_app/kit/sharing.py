"""What each replica let pass, told to the others, so that limits hold over all.

Every replica decides by itself, in memory, and tells over core NATS, TELL_SECONDS
later, how much it has counted; the others count it too. So a caller who asks several
replicas at the same moment may get, once, one more quota from each further replica:
in any time T at most `R * quota + T * quota / window` of R replicas. What was too much
is counted against what comes next, so it does not grow. While the bus is away each
replica holds its limits alone (`souk_gateway_limits_alone` is 1), and nothing waits.
"""

import asyncio
from typing import Protocol

import msgspec

from bus.kit import families, logs
from serve_app.kit.limits import Limits
from serve_app.kit.measures import Measures

SUBJECT = "gateway.taken"
TELL_SECONDS = 0.05
CALLERS_TOLD_MAX = 2_000
TOLD_BYTES_MAX = 256 << 10

_log = logs.get("gateway")


class Taken(msgspec.Struct, frozen=True, array_like=True):
    """How many requests of whom a replica let pass under one limit."""

    replica: str
    limit: str
    counts: dict[int, int]


class Bus(Protocol):
    """What carries a few bytes to all replicas, at most once."""

    def connected(self) -> bool:
        """True while others hear what is said."""
        ...

    async def say(self, subject: str, payload: bytes) -> None:
        """Tell everybody who listens; raises OSError where that cannot be."""
        ...


class Sharing:
    """Tells and hears counts for one replica's limits."""

    def __init__(self, limits: Limits, replica: str, measures: Measures) -> None:
        self._alone: bool | None = None
        self._limits = limits
        self._measures = measures
        self._replica = replica
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(Taken)

    async def follow(self, bus: Bus) -> None:
        """Tell what was counted, again and again, until cancelled."""
        while True:
            await asyncio.sleep(TELL_SECONDS)
            await self.tell(bus)

    async def tell(self, bus: Bus) -> None:
        """Tell what was counted since the last time; without a bus, forget it."""
        for bucket in self._limits.buckets.values():
            if not bucket.taken:
                continue
            taken, bucket.taken = bucket.taken, {}
            counts = list(taken.items())
            for first in range(0, len(counts), CALLERS_TOLD_MAX):
                part = dict(counts[first : first + CALLERS_TOLD_MAX])
                told = Taken(self._replica, bucket.limit.name, part)
                await self._say(bus, self._encoder.encode(told))

    def hear(self, payload: bytes) -> None:
        """Count what another replica has told."""
        if len(payload) > TOLD_BYTES_MAX:
            _log.warning("counts not understood", reason=f"{len(payload)} bytes")
            return
        try:
            told = self._decoder.decode(payload)
        except msgspec.DecodeError as error:
            # Of another release: its limits hold at its own replicas alone.
            _log.warning("counts not understood", reason=repr(error))
            return
        if told.replica != self._replica:
            self._limits.hear(told.limit, told.counts)

    async def _say(self, bus: Bus, payload: bytes) -> None:
        said = bus.connected()
        if said:
            try:
                await bus.say(SUBJECT, payload)
            except OSError as error:
                _log.warning("counts not told", reason=repr(error))
                said = False
        alone = not said
        if alone is not self._alone:
            self._alone = alone
            _log.info("limits are held alone" if alone else "limits are shared")
            self._measures.show(families.LIMITS_ALONE, int(alone))
