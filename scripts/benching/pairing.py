"""Asks between domains beside plain calls that carry one message, in turns."""

from statistics import median

import msgspec

from scripts.benching.aims import Aim, Side
from scripts.benching.asking import asking
from scripts.benching.errands import Done, Errand, Row, row_of
from scripts.benching.measuring import Bench

ROUNDS = 5
WARM_SECONDS = 1.0
RATE_AIM, IDLE_AIM = 20.0, 2.0


class AsksRound(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of each: many at a time, then one after another."""

    asks: Done
    calls: Done
    idle_asks: Done
    idle_calls: Done


class Asks(msgspec.Struct, frozen=True, kw_only=True):
    """All turns, and the ratios of the middle one."""

    in_flight: int
    rounds: list[AsksRound]

    def faults(self) -> list[str]:
        """Why the figures do not count."""
        return [
            f"{what} that were not answered well: {done.errors}"
            for one in self.rounds
            for what, done in msgspec.structs.asdict(one).items()
            if done.errors
        ]

    def aims(self) -> list[Aim]:
        """What asks are held against."""
        return [
            Aim(
                key="asks-by-calls",
                what=f"asks between domains by calls of one message, {self.in_flight} "
                "in flight",
                figure=median(
                    one.asks.per_second / max(one.calls.per_second, 1e-9)
                    for one in self.rounds
                ),
                aim=RATE_AIM,
            ),
            Aim(
                key="idle-ask-by-call",
                what="p50 of an ask alone by that of a call alone",
                figure=median(
                    one.idle_asks.p50_ms / max(one.idle_calls.p50_ms, 1e-9)
                    for one in self.rounds
                ),
                aim=IDLE_AIM,
                side=Side.AT_MOST,
            ),
        ]

    def title(self) -> str:
        """What was done, for people."""
        return f"asks of products, the middle of {len(self.rounds)} turns"

    def rows(self) -> list[Row]:
        """What it came to, for people."""
        at_once = f"{self.in_flight} in flight"
        return [
            row_of(f"asks, {at_once}", [one.asks for one in self.rounds]),
            row_of(f"calls of one message, {at_once}", [r.calls for r in self.rounds]),
            row_of("asks, one alone", [one.idle_asks for one in self.rounds]),
            row_of("calls, one alone", [one.idle_calls for one in self.rounds]),
        ]


async def measure_asks(bench: Bench, in_flight: int, seconds: float) -> Asks:
    """Turns of both, loaded and idle."""
    async with asking(bench.place) as sent:

        async def turn(what: str, callers: int, length: float) -> Done:
            return await sent.do(
                Errand(what=what, callers=callers, seconds=length, skus=bench.skus[:1])
            )

        for what in ("ask", "call"):
            await turn(what, in_flight, min(WARM_SECONDS, seconds))
        each = seconds / ROUNDS
        rounds = [
            AsksRound(
                asks=await turn("ask", in_flight, each),
                calls=await turn("call", in_flight, each),
                idle_asks=await turn("ask", 1, each),
                idle_calls=await turn("call", 1, each),
            )
            for _ in range(ROUNDS)
        ]
    return Asks(in_flight=in_flight, rounds=rounds)
