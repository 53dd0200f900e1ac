"""Draws what is wanted: Zipf's law, few things most of the time."""

import random
from collections.abc import Sequence
from itertools import accumulate

ZIPF_EXPONENT = 1.0


def zipf(count: int, exponent: float = ZIPF_EXPONENT) -> list[float]:
    """Cumulated weights by rank: the n-th is wanted `1 / n ** exponent` as often."""
    return list(accumulate(1 / rank**exponent for rank in range(1, count + 1)))


def drawn(
    dice: random.Random, skus: Sequence[str], weights: list[float], count: int
) -> list[str]:
    """So many different SKUs, each drawn by its weight from those that are left."""
    found: dict[str, None] = {}
    while len(found) < count:
        found |= dict.fromkeys(dice.choices(skus, cum_weights=weights, k=count))
    return list(found)[:count]
