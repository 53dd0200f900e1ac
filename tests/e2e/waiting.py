"""Waiting for what will be so, with a deadline."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

Value = TypeVar("Value")

POLL_SECONDS = 0.1


async def until(
    look: Callable[[], Awaitable[Value | None]], what: str, *, seconds: float = 20
) -> Value:
    """The first value that counts as true; fails after `seconds` without one."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not (value := await look()):
        if loop.time() > end:
            raise AssertionError(f"{what}: not within {seconds} s, but {value!r}")
        await asyncio.sleep(POLL_SECONDS)
    return value


async def stays(
    look: Callable[[], Awaitable[bool]], what: str, *, seconds: float = 2
) -> None:
    """Fails when something that has to stay so for this long does not."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        assert await look(), f"{what} did not stay so"
        await asyncio.sleep(POLL_SECONDS)
