"""Tasks end, also those that forget a cancellation."""

import asyncio

from bus.kit import tasks
from bus.kit.tasks import end_tasks


async def test_a_task_that_forgets_a_cancellation_is_told_again(monkeypatch) -> None:
    """Guards tasks.py: `while left`: Python 3.11 forgets, see its docstring."""
    monkeypatch.setattr(tasks, "ASK_AGAIN_SECONDS", 0.05)
    told = 0

    async def forgetful() -> None:
        nonlocal told
        while told < 2:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                told += 1

    task = asyncio.create_task(forgetful())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await end_tasks([task])
    assert task.done()
    assert told == 2
