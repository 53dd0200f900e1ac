"""Clients that do their work at once, in an order that a seed decides."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from random import Random
from typing import Any

import pytest

from bus.kit.refusals import Refusal

CLIENTS = 50
SPREAD_SECONDS = 0.02
SEEDS_MORE = 12

Client = Callable[[], Awaitable[Any]]

seeds = pytest.mark.parametrize(
    "seed",
    [1, *(pytest.param(n, marks=pytest.mark.full) for n in range(2, 2 + SEEDS_MORE))],
)
"""One interleaving in the fast tier, many in a long proof."""


class Crowd:
    """Clients under one seed: the same seed gives the same order of beginnings."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)

    async def pause(self) -> None:
        """Wait a moment of this seed's choice, often none at all."""
        if self.rng.random() < 0.5:
            await asyncio.sleep(0)
        else:
            await asyncio.sleep(self.rng.random() * SPREAD_SECONDS)

    async def at_once(self, clients: Sequence[Client]) -> list[Any]:
        """Run all clients; each one's answer, a refusal as a value, in their order.

        Whatever else a client ends with is a failure of the test.
        """
        order = list(range(len(clients)))
        self.rng.shuffle(order)
        delays = {number: self.rng.random() * SPREAD_SECONDS for number in order[::2]}

        async def run(number: int) -> Any:
            await asyncio.sleep(delays.get(number, 0))
            try:
                return await clients[number]()
            except Refusal as refusal:
                return refusal

        tasks = {number: asyncio.create_task(run(number)) for number in order}
        await asyncio.gather(*tasks.values())
        return [tasks[number].result() for number in range(len(clients))]


def each(client: Callable[..., Awaitable[Any]], values: Iterable[Any]) -> list[Client]:
    """One client for each value, doing the same with it."""
    return [partial(client, value) for value in values]


def codes(answers: Sequence[Any]) -> list[str]:
    """The codes of the refusals among the answers, sorted."""
    return sorted(answer.code for answer in answers if isinstance(answer, Refusal))


def done(answers: Sequence[Any]) -> list[Any]:
    """The answers that are no refusals."""
    return [answer for answer in answers if not isinstance(answer, Refusal)]
