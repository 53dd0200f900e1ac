"""The scene of the kit: callers count, carry, claim and are reminded; echo listens."""

import asyncio
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from actors.kit.lane import Address, ShardGone
from bus.kit.addressing import derived_id, new_id
from bus.kit.messages import Command
from bus.kit.refusals import Failed, Refusal, Unavailable, Unknown
from tests.simulation.faults import FAULTS_SECONDS
from tests.simulation.loop import Node
from tests.simulation.processes import Transport
from tests.simulation.running import Scene
from tests.simulation.tally import (
    KINDS,
    Add,
    Balk,
    Carry,
    Grab,
    Remind,
    Spoil,
)
from tests.simulation.world import Kinds

CALLERS = 2
LINES_OF_WORK = 3
ASKS = 4
KEYS = 5
AGAIN_SECONDS = 0.3
REMIND_SECONDS_MAX = 4.0
ROLL_SECONDS_MAX = 3.0
HAND_OVER_SECONDS_MAX = 2.0
KILL_SHARE = 0.7


@dataclass
class Asked:
    """One command in its caller's journal; `answer` is how it ended."""

    id: UUID
    message: Command[Any]
    began: float
    ended: float = 0.0
    answer: Any = None


class Counting(Scene):
    """Every command acts once, in order, and is heard of once."""

    kinds: Kinds = KINDS
    shard_counts = {"echo": 1}

    def begin(self) -> None:
        """Several callers, each with several lines of work, beside each other."""
        self.journal: list[Asked] = []
        self.keys = _keys()
        self.world.expects = _planted
        for number in range(CALLERS):
            node, asker = self.world.caller(f"caller-{number}")
            for _ in range(LINES_OF_WORK):
                self.asking.append(node.spawn(self._work(node, asker.ask)))

    async def _work(self, node: Node, ask: Any) -> None:
        for _ in range(1 + self.chance.randrange(ASKS)):
            await asyncio.sleep(self.chance.random() * FAULTS_SECONDS / ASKS)
            some = 1 + (self.chance.randrange(5) if self.chance.random() < 0.4 else 0)
            asks = [self._insist(ask, self._drawn()) for _ in range(some)]
            await asyncio.gather(*asks)

    def _drawn(self) -> Command[Any]:
        chance, names = self.chance, self.keys
        name = chance.choice(names)
        kind = chance.choice((Add, Add, Add, Add, Balk, Spoil, Grab, Carry, Remind))
        if kind is Grab:
            owner = new_id(name)
            return Grab(owner=owner, value=f"value-{chance.randrange(3)}")
        if kind is Carry:
            return Carry(name=name, other=chance.choice(names))
        if kind is Remind:
            seconds = chance.random() * REMIND_SECONDS_MAX
            return Remind(name=name, seconds=seconds)
        return kind(name=name)  # type: ignore[no-any-return]

    async def _insist(self, ask: Any, message: Command[Any]) -> None:
        """Ask again with the same id until it is known what has become of it."""
        asked = Asked(new_id(message.key), message, self.world.loop.time())
        self.journal.append(asked)
        while asked.answer is None:
            try:
                asked.answer = await ask(
                    message,
                    id=asked.id,
                    join=True,
                    keyed=True,
                    timeout_seconds=1 + self.chance.random() * 5,
                )
            except (Refusal, Failed) as end:
                asked.answer = end
            except (Unavailable, Unknown):
                await asyncio.sleep(AGAIN_SECONDS)
        asked.ended = self.world.loop.time()

    # --- what must have come of it -------------------------------------------

    def heard(self) -> bool:
        """Whether echo has an effect of every event."""
        echo = self.world.servers["echo"].rows("effects")
        return super().heard() and len(echo) >= len(self.watch.facts)

    def check(self) -> None:
        """Once, in order, and as it was told."""
        self.effects = self.world.servers["tally"].rows("effects")
        done = Counter((row["command_id"], row["what"]) for row in self.effects)
        for asked in self.journal:
            wanted = _wanted(asked)
            for what, id_ in _effects_of(asked):
                if done[id_, what] not in wanted:
                    self.world.violate(
                        f"{asked}: {done[id_, what]} times {what}, not {wanted}"
                    )
        self._check_totals()
        self._check_order()
        self._check_echo()

    def _check_totals(self) -> None:
        """Each key's totals are 1, 2, 3 …: memory was never behind the database."""
        totals: dict[str, list[int]] = defaultdict(list)
        for row in self.effects:
            if row["what"] in ("add", "carried"):
                totals[row["key"]].append(row["total"])
        for row in self.world.servers["tally"].rows("totals"):
            seen = totals.pop(row["key"], [])
            if seen != list(range(1, row["total"] + 1)):
                self.world.violate(f"{row['key']} went {seen}, and is {row['total']}")
        if totals:
            self.world.violate(f"no total of {sorted(totals)}")

    def _check_order(self) -> None:
        """What began after another had ended came after it; answers are true."""
        adds: dict[str, list[Asked]] = defaultdict(list)
        total_of = {r["command_id"]: r["total"] for r in self.effects}
        for asked in self.journal:
            if isinstance(asked.message, Add):
                adds[asked.message.name].append(asked)
                if isinstance(asked.answer, Failed):
                    continue
                if total_of.get(asked.id) != getattr(asked.answer, "total", None):
                    self.world.violate(f"{asked} was {total_of.get(asked.id)}")
        for some in adds.values():
            for one in some:
                for other in some:
                    later = other.began > one.ended
                    if later and total_of.get(other.id, 0) < total_of.get(one.id, 0):
                        self.world.violate(f"{other} came before {one}")

    def _check_echo(self) -> None:
        """Every event has one effect, in order where JetStream delivers in order.

        It does not where the bridge died with a message in its hands, or where a word
        between them was lost: that message comes again, after its later ones.
        """
        heard: dict[str, list[int]] = defaultdict(list)
        for row in self.world.servers["echo"].rows("effects"):
            heard[row["key"]].append(int(row["what"].split()[1]))
        told = Counter(
            row["key"] for row in self.effects if row["what"] in ("add", "carried")
        )
        for key, count in told.items():
            numbers = heard[key]
            if self.world.disordered or self.world.broker.lost_streams:
                numbers = sorted(numbers)
            if numbers != list(range(1, count + 1)):
                self.world.violate(f"echo heard of {key}: {heard[key]}, not 1…{count}")


class Adopted(Counting):
    """The same, where standbys answer for shards that have died, or are renewed."""

    standbys = 2

    def begin(self) -> None:
        """Beside the callers somebody renews one shard after another."""
        super().begin()
        node = Node(self.world.loop, "roll")
        self.asking.append(node.spawn(self._roll()))

    async def _roll(self) -> None:
        """Now and then it is killed before its last line, and begins anew."""
        reach, world = Transport(self.world), self.world
        while world.loop.time() < FAULTS_SECONDS:
            await asyncio.sleep(self.chance.random() * ROLL_SECONDS_MAX)
            address = Address(("tally", self.chance.randrange(self.shards)))
            try:
                async with asyncio.timeout(HAND_OVER_SECONDS_MAX):
                    await reach.hand_over(address)
            except (ShardGone, TimeoutError) as error:
                world.note(f"roll heard {error!r}")
            if self.chance.random() < KILL_SHARE:
                await reach.replace(address)


def _keys() -> list[str]:
    """Names of which both shards own some."""
    return [f"key-{n}" for n in range(KEYS)]


def _planted(event: str, error: Any) -> bool:
    return event == "handler-failed" and isinstance(error, ZeroDivisionError)


def _wanted(asked: Asked) -> set[int]:
    """How often it must have acted: once, unless it was refused or failed.

    Where a connection breaks four times in a row, the kit answers Failed: nobody knows.
    """
    if isinstance(asked.message, Grab):
        return {getattr(asked.answer, "total", 0)}
    if isinstance(asked.answer, Failed) and not isinstance(asked.message, Spoil):
        return {0, 1}
    return {0} if isinstance(asked.answer, Exception) else {1}


def _effects_of(asked: Asked) -> list[tuple[str, UUID]]:
    match asked.message:
        case Add():
            return [("add", asked.id)]
        case Balk():
            return [("balked", asked.id)]
        case Spoil():
            return [("spoilt", asked.id)]
        case Grab():
            return [("grabbed", asked.id)]
        case Remind():
            return [("rung", asked.id)]
        case Carry():
            there = derived_id(asked.id, "there")
            return [("stage 1", asked.id), ("stage 2", asked.id), ("carried", there)]
    raise TypeError(asked.message)
