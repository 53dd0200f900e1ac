"""Faults on demand: the bank can be slow, silent, wrong or failing."""

import random
from typing import Annotated, Literal

import msgspec

from scripts.bank.tokens import SLOW_MS_MAX

Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=SLOW_MS_MAX)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Faults(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is wrong with the bank until it is told otherwise.

    `silent`: charges and refunds are made, and nothing at all is answered. `refuse`:
    503, nothing is made. `wrong`: an answer with another amount or key, one that is
    no JSON, each line twice, or status 500 after all was made. `error_rate`: the
    share of lines that are not acted upon and answered as `bank-error`; `seed` makes
    them the same ones each time.
    """

    latency_ms: Milliseconds = 0
    latency_by_token: dict[str, Milliseconds] = {}
    silent: bool = False
    refuse: bool = False
    wrong: Literal["", "amount", "key", "garbage", "twice", "status"] = ""
    error_rate: Share = 0.0
    seed: int = 0


class Weather:
    """The faults of this moment, and the dice that `error_rate` throws."""

    def __init__(self) -> None:
        self.set(Faults())

    def set(self, faults: Faults) -> None:
        """Take other faults from now on."""
        self.faults = faults
        self._dice = random.Random(faults.seed)  # noqa: S311 - dice, no secret

    def strikes(self) -> bool:
        """Whether the next line fails."""
        rate = self.faults.error_rate
        return rate > 0 and self._dice.random() < rate

    def delay_seconds(self, token: str) -> float:
        """How much longer an answer about `token` takes."""
        faults = self.faults
        return faults.latency_by_token.get(token, faults.latency_ms) / 1_000

    def spoiled(self, line: bytes, amount: int) -> bytes:
        """A line of an answer as the bank really sends it."""
        match self.faults.wrong:
            case "amount":
                return line.replace(b'"amount":%d,' % amount, b'"amount":1,')
            case "key":
                return line.replace(b'"key":"', b'"key":"x', 1)
            case "garbage":
                return b"{not json\n"
            case "twice":
                return line + line
            case _:
                return line
