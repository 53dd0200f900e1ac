"""One run: a seed, a world, a scene in it, and whether every promise was kept."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, ClassVar

from tests.simulation.breaking import break_things
from tests.simulation.invariants import Watch
from tests.simulation.loop import SimLoop, Spinning, run_in
from tests.simulation.world import Kinds, World

LOOK_SECONDS = 0.25
END_SECONDS_MAX = 30.0
"""How long after the last fault every command and process may take to end."""
HEARD_SECONDS_MAX = 120.0
"""The same for what is told: a word that JetStream misses comes again after 60 s."""


@dataclass
class Result:
    """How a run went; two runs with one fingerprint went the same way."""

    seed: int
    violations: list[str]
    fingerprint: str
    seconds: float
    lines: list[str] = field(default_factory=list)


class Scene:
    """What is played: who asks what, and what must have come of it."""

    kinds: Kinds
    shards: ClassVar[int] = 2
    shard_counts: ClassVar[dict[str, int]] = {}
    standbys: ClassVar[int] = 0
    end_seconds_max: ClassVar[float] = END_SECONDS_MAX

    def __init__(self, world: World, watch: Watch, seed: int) -> None:
        self.world = world
        self.watch = watch
        self.chance = random.Random(f"scene {seed}")
        self.asking: list[asyncio.Task[Any]] = []

    async def prepare(self) -> None:
        """Put there what must be there before anybody asks."""

    async def healed(self) -> None:
        """From now on nothing outside of the world fails, either."""

    def begin(self) -> None:
        """Let the callers begin."""
        raise NotImplementedError

    def ended(self) -> bool:
        """Whether every command has an answer, and every process its end."""
        return all(task.done() for task in self.asking) and self.watch.at_rest()

    def heard(self) -> bool:
        """Whether all that was told has arrived."""
        return self.watch.published()

    def check(self) -> None:
        """Compare what callers were told with what there is."""
        raise NotImplementedError


def run(scene: type[Scene], seed: int, *, tracing: bool = False) -> Result:
    """Play a scene with this seed."""
    loop = SimLoop(random.Random(f"loop {seed}"))
    worlds: list[World] = []

    async def play() -> None:
        world = World(
            *(loop, seed, scene.kinds, scene.shards),
            standbys=scene.standbys,
            tracing=tracing,
        )
        counts = scene.shard_counts
        world.settings = world.settings.changed(shard_counts=counts)
        worlds.append(world)
        await _play(world, scene(world, Watch(world), seed))

    problems: list[str] = []
    try:
        run_in(loop, seed, lambda: _in_world(loop, play))
    except Spinning as error:
        problems.append(str(error))
    world = worlds[0]
    return Result(
        seed,
        [*world.violations, *problems],
        world.fingerprint,
        loop.time(),
        world.lines,
    )


async def _in_world(
    loop: SimLoop, play: Callable[[], Coroutine[Any, Any, None]]
) -> None:
    await loop.world.spawn(play())


async def _play(world: World, scene: Scene) -> None:
    world.use_rates(world.rates)
    await scene.prepare()
    await world.start()
    scene.begin()
    await break_things(world)
    await scene.healed()
    healed_at = world.loop.time()
    end = healed_at + scene.end_seconds_max
    await _until(world, scene.ended, end, "a process goes on")
    end = healed_at + HEARD_SECONDS_MAX
    await _until(world, scene.heard, end, "something is not heard of")
    for task in scene.asking:
        if task.done() and task.exception() is not None:
            world.violate(f"a caller got {task.exception()!r}")
    scene.watch.check_facts()
    scene.check()


async def _until(
    world: World, check: Callable[[], bool], end: float, otherwise: str
) -> None:
    while not check():
        if world.loop.time() > end:
            world.violate(f"{otherwise} at {world.loop.time():.1f} s")
            return
        await asyncio.sleep(LOOK_SECONDS)
