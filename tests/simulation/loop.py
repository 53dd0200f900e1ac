"""An event loop without a clock or a socket: a seed decides what runs next.

Each simulated process is a `Node` with a queue of its own, in order as asyncio
promises; between the queues the seed chooses. Time passes only when nobody can run.
A frozen node's callbacks wait; those of a dead one are never run, as after SIGKILL.
"""

import asyncio
import contextvars
import heapq
import os
import random
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from bus.kit.addressing import forget_read_ahead

EPOCH_SECONDS = 1_800_000_000.0
"""When every simulation begins, in seconds since 1970."""
STEPS_MAX = 2_000_000
"""So many callbacks and no end: the run spins."""

_NODE: contextvars.ContextVar["Node | None"] = contextvars.ContextVar("node")


class Spinning(RuntimeError):
    """Something asks to be run again and again, and time does not pass."""


class Node:
    """A process of the simulated world; the world itself is one that never fails."""

    def __init__(self, loop: "SimLoop", name: str) -> None:
        self.name = name
        self.alive = True
        self.frozen = False
        self.queue: deque[asyncio.Handle] = deque()
        self._loop = loop
        self._context = contextvars.Context()
        self._context.run(_NODE.set, self)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Run a coroutine in this process."""
        context = self._context.copy()
        return self._loop.create_task(work, context=context)

    def later(self, seconds: float, call: Callable[..., Any], *values: Any) -> None:
        """Call something in this process after a while."""
        self._loop.call_later(seconds, call, *values, context=self._context)

    def kill(self) -> None:
        """End it: nothing that it had under way goes on, not even a `finally`."""
        self.alive = False
        self._loop.drop(self)

    def freeze(self) -> None:
        """Stop it where it stands."""
        self.frozen = True
        self._loop.rest(self)

    def thaw(self) -> None:
        """Let it go on, with everything that came meanwhile."""
        self.frozen = False
        self._loop.wake(self)


class SimLoop(asyncio.BaseEventLoop):
    """The loop of one run; `chance` is the only source of its choices."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self.chance = chance
        self.steps = 0
        self.tasks: list[asyncio.Task[Any]] = []
        self._now = 0.0
        self._set = 0
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._active: list[Node] = []
        self._over = False
        self.world = Node(self, "world")
        self.set_exception_handler(lambda *_: None)
        self.set_task_factory(self._make_task)

    def time(self) -> float:
        """Seconds since the run began."""
        return self._now

    # --- queues --------------------------------------------------------------

    def wake(self, node: Node) -> None:
        """It may run, if it has something to run."""
        if node.queue and node.alive and not node.frozen and node not in self._active:
            self._active.append(node)

    def rest(self, node: Node) -> None:
        """It may not run."""
        if node in self._active:
            self._active.remove(node)

    def drop(self, node: Node) -> None:
        """It never runs again."""
        node.queue.clear()
        self.rest(node)

    def call_at(
        self, when: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        """Call at a time; of those of one moment, the one that was set first."""
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self._set += 1
        heapq.heappush(self._timers, (when, self._set, timer))
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is passed over when its time has come."""

    def _call_soon(self, callback: Any, args: Any, context: Any) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._put(handle)
        return handle

    def _put(self, handle: asyncio.Handle) -> None:
        if self._over:
            return
        context: contextvars.Context = handle._context  # type: ignore[attr-defined]
        node = context.get(_NODE) or self.world
        if not node.alive:
            return
        node.queue.append(handle)
        if len(node.queue) == 1 and not node.frozen:
            self._active.append(node)

    def _run_once(self) -> None:
        active = self._active
        while not active:
            self._pass_time()
        self.steps += 1
        if self.steps > STEPS_MAX:
            raise Spinning(f"{STEPS_MAX} callbacks by {self._now:.3f} s")
        place = int(self.chance.random() * len(active)) if len(active) > 1 else 0
        node = active[place]
        handle = node.queue.popleft()
        if not node.queue:
            active.pop(place)
        if not handle._cancelled:  # type: ignore[attr-defined]
            handle._run()

    def _pass_time(self) -> None:
        """On to the next moment for which something is set."""
        timers = self._timers
        while timers and timers[0][2]._cancelled:  # type: ignore[attr-defined]
            heapq.heappop(timers)
        if not timers:
            raise Spinning("nothing is left that could ever happen")
        self._now = max(self._now, timers[0][0])
        while timers and timers[0][0] <= self._now:
            timer = heapq.heappop(timers)[2]
            if not timer._cancelled:  # type: ignore[attr-defined]
                self._put(timer)

    # --- life ----------------------------------------------------------------

    def _make_task(
        self, _: Any, work: Any, context: contextvars.Context | None = None
    ) -> "asyncio.Task[Any]":
        task = asyncio.Task(work, loop=self, context=context)
        self.tasks.append(task)
        return task

    def finish(self) -> None:
        """Close what was left where it stood; none of it is heard of again."""
        self._over = True
        for task in self.tasks:
            if not task.done():
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                with suppress(BaseException):  # the dead object to dying
                    task.get_coro().close()  # type: ignore[union-attr]
        self.tasks.clear()
        self._timers.clear()
        self.close()

    def _asyncgen_finalizer_hook(self, agen: Any) -> None:
        """What a dead process had open is not closed by it."""

    def _write_to_self(self) -> None:
        """There is nobody to wake."""


@contextmanager
def pinned(loop: SimLoop, seed: int) -> Iterator[None]:
    """Let the process' clocks and its randomness be the loop's, for the block."""
    bits = random.Random(f"bits {seed}")
    before = random.getstate()
    random.seed(f"choices {seed}")
    replaced = {
        (os, "urandom"): bits.randbytes,
        (time, "time"): lambda: EPOCH_SECONDS + loop.time(),
        (time, "time_ns"): lambda: int((EPOCH_SECONDS + loop.time()) * 1e9),
        (time, "monotonic"): loop.time,
        (time, "perf_counter"): loop.time,
    }
    real = {place: getattr(*place) for place in replaced}
    for (module, name), instead in replaced.items():
        setattr(module, name, instead)
    forget_read_ahead()
    try:
        yield
    finally:
        forget_read_ahead()
        for (module, name), what in real.items():
            setattr(module, name, what)
        random.setstate(before)


def run_in(
    loop: SimLoop, seed: int, work: Callable[[], Coroutine[Any, Any, Any]]
) -> Any:
    """Run a coroutine to its end in a loop of its own, and leave nothing behind."""
    with pinned(loop, seed):
        try:
            asyncio.set_event_loop(loop)
            return loop.run_until_complete(work())
        finally:
            loop.finish()
            asyncio.set_event_loop(None)
