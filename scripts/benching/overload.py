"""More than a shop can do: what it does all the same, and how it refuses the rest."""

import asyncio

import msgspec

from scripts.benching.aims import Aim, Side
from scripts.benching.applied import Watch
from scripts.benching.desk import BUSY
from scripts.benching.load import Load, share_of
from scripts.benching.measuring import Bench

PEAK_CLIENTS = (32, 64, 128)
OPEN_CLIENTS = 1_024
SHARE, TIMES = 0.8, 3.0
SETTLE_SECONDS = 1.5
"""Events of what went before are then in the stream, and not taken for the load's."""


class Overload(msgspec.Struct, frozen=True, kw_only=True):
    """Orders a second that were answered 201: at most, and when far more were asked.

    The peak is the best of closed loops with PEAK_CLIENTS; `usual` is an open loop at
    SHARE of it, `over` one at TIMES it. Latencies of orders count from when each was
    due. `other` is what was answered neither well nor with 503 and `Retry-After`.
    """

    peak_per_second: float
    peak_clients: int
    usual_per_second: float
    usual_p99_ms: float
    asked_per_second: float
    over_per_second: float
    over_p50_ms: float
    over_p99_ms: float
    refused: int
    refused_p50_ms: float
    refused_p99_ms: float
    other: int

    def faults(self) -> list[str]:
        """Why its figures do not count."""
        return [] if self.over_per_second else ["nothing was done past the peak"]

    def aims(self) -> list[Aim]:
        """Goodput, and how quickly the accepted and the refused are answered."""
        goodput = self.over_per_second / self.peak_per_second
        accepted = self.over_p99_ms / self.usual_p99_ms
        refused = max(1, self.refused + self.other)
        return [
            Aim(
                key="overload-goodput",
                what=f"orders at {TIMES:g} x the peak by those at the peak",
                figure=goodput,
                aim=0.9,
            ),
            Aim(
                key="overload-accepted",
                what=f"p99 of accepted orders by that at {SHARE:.0%} of the peak",
                figure=accepted,
                aim=2.0,
                side=Side.AT_MOST,
            ),
            Aim(
                key="overload-refused",
                what="p99 of refusals",
                figure=self.refused_p99_ms,
                aim=5.0,
                side=Side.AT_MOST,
                unit="ms",
            ),
            Aim(
                key="overload-told",
                what="refusals that say when to come again, by all",
                figure=self.refused / refused if self.refused + self.other else 1.0,
                aim=1.0,
            ),
        ]

    def words(self) -> str:
        """The figures, for people."""
        return (
            f"peak {self.peak_per_second:.0f} orders/s with {self.peak_clients} "
            f"clients; at {self.usual_per_second:.0f}/s p99 {self.usual_p99_ms:.0f} "
            f"ms; asked for {self.asked_per_second:.0f}/s: "
            f"{self.over_per_second:.0f}/s done, p50 {self.over_p50_ms:.0f}, p99 "
            f"{self.over_p99_ms:.0f} ms; {self.refused} refused as busy, p50 "
            f"{self.refused_p50_ms:.1f}, p99 {self.refused_p99_ms:.1f} ms; "
            f"{self.other} ended otherwise"
        )


async def measure_overload(bench: Bench, seconds: float) -> Overload:
    """Find the peak, load below it, then far above it; all rests in between."""
    peaks = {
        clients: _rate(await _load(bench, clients, seconds, 0.0))
        for clients in PEAK_CLIENTS
    }
    clients = max(peaks, key=lambda each: peaks[each])
    peak = peaks[clients]
    usual = await _load(bench, OPEN_CLIENTS, seconds, peak * SHARE)
    over = await _load(bench, OPEN_CLIENTS, seconds, peak * TIMES)
    busy = over.by_kind.get(BUSY, [])
    asked = sum(map(len, over.by_kind.values())) + sum(over.errors.values())
    return Overload(
        peak_per_second=peak,
        peak_clients=clients,
        usual_per_second=_rate(usual),
        usual_p99_ms=usual.at(0.99),
        asked_per_second=asked / seconds,
        over_per_second=_rate(over),
        over_p50_ms=over.at(0.5),
        over_p99_ms=over.at(0.99),
        refused=len(busy),
        refused_p50_ms=share_of(busy, 0.5),
        refused_p99_ms=share_of(busy, 0.99),
        other=asked - len(busy) - over.good,
    )


async def _load(bench: Bench, clients: int, seconds: float, rate: float) -> Load:
    """One load, and all that it set off: what is still to do would slow the next."""
    task = bench.task("orders", clients, seconds)
    watch = await Watch.open(bench.place)
    try:
        await asyncio.sleep(SETTLE_SECONDS)
        before = await watch.mark()
        load = await bench.load(msgspec.structs.replace(task, rate=rate))
        await watch.wait(before)
    finally:
        await watch.close()
    return load


def _rate(load: Load) -> float:
    return load.good / load.seconds
