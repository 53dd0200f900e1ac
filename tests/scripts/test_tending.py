"""Tending: what ended by itself is started again, each server for itself."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from scripts.embedded.nats import NatsError
from scripts.embedded.process import Identity
from scripts.launcher import tending
from scripts.launcher.tending import Tending

WAIT_SECONDS_MAX = 5
LIVING = Identity(1, 1.0)


class Fake:
    """A server that is told to die, and fails to start as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.done: list[str] = []
        self.alive, self.failures = True, failures

    def running(self) -> Identity | None:
        """A process, while it lives."""
        return LIVING if self.alive else None

    def prepare(self) -> None:
        """Note it."""
        self.done.append("prepare")

    def launch(self) -> None:
        """Note it."""
        self.done.append("launch")

    def wait(self) -> None:
        """Live, or fail."""
        self.done.append("wait")
        if self.failures:
            self.failures -= 1
            raise NatsError("no room")
        self.alive = True

    def stop(self) -> None:
        """Note it."""
        self.done.append("stop")


class Stuck(Fake):
    """A server that lives, and is well again only after so many new starts."""

    def __init__(self, starts: int) -> None:
        super().__init__()
        self.starts_needed = starts

    def stuck(self) -> str:
        """Until it has been started often enough."""
        return "it takes nothing" if self.starts_needed else ""

    def launch(self) -> None:
        """Get better."""
        super().launch()
        self.starts_needed -= 1


class Tended:
    """Servers that are looked after, and what was heard of them."""

    def __init__(self) -> None:
        self.again: list[str] = []
        self.said: list[str] = []
        self.tending = Tending(
            _at_once,
            again=lambda name, _: self.again.append(name),
            say=self.said.append,
        )

    async def heard(self, *names: str) -> None:
        """Wait until these have been started again, in any order."""
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            while sorted(self.again) != sorted(names):  # noqa: ASYNC110 - no event
                await asyncio.sleep(0)


async def _at_once(work: Callable[..., Any], *values: Any) -> Any:
    return work(*values)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tending, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr(tending, "AGAIN_SECONDS", 0.001)


START = ["stop", "prepare", "launch", "wait"]


async def _during(work: Awaitable[None], tended: Tended) -> None:
    try:
        await work
    finally:
        await tended.tending.stop()


async def test_a_server_that_ended_is_cleared_away_and_started_once() -> None:
    server, tended = Fake(), Tended()
    tended.tending.tend("NATS", server)
    await asyncio.sleep(0.02)
    assert server.done == []
    server.alive = False
    await _during(tended.heard("NATS"), tended)
    assert server.done == START
    assert tended.said == ["[yellow]![/] NATS: it has ended; it is started again"]


async def test_one_that_does_not_start_is_tried_again_and_delays_no_other() -> None:
    stubborn, other, tended = Fake(failures=2), Fake(), Tended()
    stubborn.alive = other.alive = False
    tended.tending.tend("NATS", stubborn)
    tended.tending.tend("Postgres", other)
    await _during(tended.heard("NATS", "Postgres"), tended)
    assert tended.again == ["Postgres", "NATS"]
    assert stubborn.done == START * 3
    assert [line for line in tended.said if "no room" in line] == [
        "[yellow]![/] NATS: no room"
    ] * 2


async def test_one_that_takes_nothing_is_started_again_and_ever_less_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tending, "STUCK_LOOK_SECONDS", 0.02)
    server, tended = Stuck(starts=3), Tended()
    began_at = time.monotonic()
    tended.tending.tend("NATS", server)
    await _during(tended.heard("NATS", "NATS", "NATS"), tended)
    assert server.done == START * 3
    assert (
        tended.said == ["[yellow]![/] NATS: it takes nothing; it is started again"] * 3
    )
    # Looked at after 0.02 s, then after twice as long.
    assert time.monotonic() - began_at >= 0.02 + 0.04


async def test_after_the_end_nothing_is_started_any_more() -> None:
    server, tended = Fake(), Tended()
    tended.tending.tend("NATS", server)
    await tended.tending.stop()
    server.alive = False
    await asyncio.sleep(0.02)
    assert server.done == []
    assert tended.again == []
