"""The aims of a run: each a ratio within it, or a cost, told whether met or missed."""

from enum import StrEnum

import msgspec


class Side(StrEnum):
    """On which side of its aim a figure is good."""

    AT_LEAST = "at least"
    AT_MOST = "at most"


class Aim(msgspec.Struct, frozen=True, kw_only=True):
    """A figure beside what it should be, in one unit.

    `key` is stable over versions ("orders-by-noop"), `what` is the sentence for people
    without its figure, `reason` is why it is missed where that is known.
    """

    key: str
    what: str
    figure: float
    aim: float
    side: Side = Side.AT_LEAST
    unit: str = "times"
    reason: str = ""

    @property
    def met(self) -> bool:
        """Whether the figure is on its good side, or on the aim itself."""
        if self.side is Side.AT_LEAST:
            return self.figure >= self.aim
        return self.figure <= self.aim

    def words(self) -> str:
        """One line: `met: orders by noop: 0.26 times, at least 0.25 times`."""
        verdict = "met" if self.met else "missed"
        said = f"{self.figure:.4g} {self.unit}, {self.side} {self.aim:g} {self.unit}"
        why = f" ({self.reason})" if self.reason and not self.met else ""
        return f"{verdict}: {self.what}: {said}{why}"
