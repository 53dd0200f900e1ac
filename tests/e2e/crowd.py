"""Many buyers at once, each of whom asks again until there is an answer that counts."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import aiohttp

from tests.e2e.people import Answer, Stranger
from tests.e2e.waiting import POLL_SECONDS, until

ANSWER_SECONDS_MAX = 120
# Not a decision: never begun, unknown, or still under way.
ASK_AGAIN = frozenset({429, 500, 502, 503, 504})
LOST = (aiohttp.ClientError, TimeoutError)


@dataclass
class Crowd:
    """Orders under way and their answers; an order's key stays the same throughout."""

    buyers: list[Stranger]
    answers: list[Answer] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    answered_at: dict[str, float] = field(default_factory=dict)
    asked_again: int = 0

    async def buy(
        self, count: int, at_once: int, items: Callable[[int], list[tuple[str, int]]]
    ) -> None:
        """Place `count` orders, `at_once` at a time; `items` says what the nth buys."""
        numbers = iter(range(count))

        async def one_after_another() -> None:
            for number in numbers:
                buyer = self.buyers[number % len(self.buyers)]
                await self.place(buyer, *items(number))

        await asyncio.gather(*(one_after_another() for _ in range(at_once)))

    async def place(
        self, buyer: Stranger, *items: tuple[str, int], **more: Any
    ) -> None:
        """One order, until it is decided."""
        headers = {"Idempotency_Key": str(uuid4())}
        began = time.monotonic()
        answer = await self._decided(
            lambda: buyer.order(*items, headers=headers, **more)
        )
        self.seconds.append(time.monotonic() - began)
        self.answers.append(answer)
        if answer.status in (201, 202):
            self.answered_at[answer.body["id"]] = time.time()

    async def _decided(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        end = time.monotonic() + ANSWER_SECONDS_MAX
        said: Any = None
        while time.monotonic() < end:
            try:
                said = answer = await ask()
            except LOST as lost:
                said = lost
            else:
                under_way = (
                    answer.status == 409 and answer.code == "request-in-progress"
                )
                if answer.status not in ASK_AGAIN and not under_way:
                    return answer
            self.asked_again += 1
            await asyncio.sleep(POLL_SECONDS)
        raise AssertionError(f"no decision in {ANSWER_SECONDS_MAX} s: {said}")

    async def reached(self, count: int) -> None:
        """Wait until so many orders have been answered."""

        async def look() -> bool:
            return len(self.answers) >= count

        await until(look, f"{count} orders", seconds=ANSWER_SECONDS_MAX)

    @property
    def answered(self) -> dict[str, str]:
        """By its id the status that each order's buyer was told."""
        return {
            answer.body["id"]: answer.body["status"]
            for answer in self.answers
            if answer.status in (201, 202)
        }

    def p99(self) -> float:
        """The seconds that 99 of 100 orders took at most (nearest rank)."""
        ranked = sorted(self.seconds)
        return ranked[max(0, -(-len(ranked) * 99 // 100) - 1)]
