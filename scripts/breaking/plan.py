"""The plan of a run: which fault hits what and when, as data that a seed decides."""

import random
from collections.abc import Iterable, Mapping
from enum import StrEnum
from itertools import cycle, islice

import msgspec

from actors import DOMAINS

ROUNDS_MAX = 1_000
FAULTS_MAX = 100
FIRST_SECONDS = 2.0
GAP_SECONDS = (3.0, 7.0)
LENGTH_SECONDS = (1.0, 5.0)
DELAY_SECONDS = (0.05, 0.4)
SERVERS = ("postgres", "nats", "bank")


class Kind(StrEnum):
    """What is done to a target."""

    KILL = "kill"
    """SIGKILL."""
    FREEZE = "freeze"
    """SIGSTOP for a while, past every patience of its callers, then SIGCONT."""
    CUT = "cut"
    """All connections are reset, and new ones refused, for a while."""
    DELAY = "delay"
    """Every piece of data arrives later, each way, for a while."""
    DROP = "drop"
    """Nothing arrives for a while and nobody is told; then the connections end."""
    EVERYTHING = "everything"
    """Every process of the shop and its servers is killed; then it is started again."""
    STREAM = "stream"
    """The folder of the event stream is deleted, and NATS killed."""
    DISK = "disk"
    """The data folder's file system is filled to its last byte for a while."""


THROUGH_PROXY = frozenset({Kind.CUT, Kind.DELAY, Kind.DROP})
LASTING = frozenset({Kind.FREEZE, Kind.DISK, *THROUGH_PROXY})
OWN_SHOP = frozenset({*THROUGH_PROXY, Kind.EVERYTHING, Kind.STREAM, Kind.DISK})
"""What is done only to a shop that the breaker has started itself."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One fault: when, counted from the load's begin, what, to whom, for how long.

    `delay_seconds` is of `DELAY` alone.
    """

    at_seconds: float
    kind: Kind
    target: str
    lasts_seconds: float = 0.0
    delay_seconds: float = 0.0

    @property
    def ends_seconds(self) -> float:
        """When it is over, counted from the load's begin."""
        return self.at_seconds + self.lasts_seconds

    @property
    def name(self) -> str:
        """What is told of it."""
        return f"{self.kind} {self.target}"


def targets_of(
    shards: Mapping[str, int],
    bridges: int,
    replicas: int,
    *,
    standbys: int = 0,
    through: Iterable[str],
) -> dict[Kind, list[str]]:
    """Whom each kind of fault can hit in a shop of this size.

    `through` are the names of the proxies that its connections go through.
    """
    names = list(through)
    actors = [f"{name}/{n}" for name in DOMAINS for n in range(shards.get(name, 1))]
    actors += [f"bridge/{n}" for n in range(bridges)]
    actors += [f"standby/{n}" for n in range(standbys)]
    processes = [*actors, *(f"gateway/{n}" for n in range(replicas)), *SERVERS]
    return {
        Kind.KILL: processes,
        Kind.FREEZE: processes,
        Kind.CUT: names,
        Kind.DELAY: names,
        Kind.DROP: names,
        Kind.EVERYTHING: ["all"],
        Kind.STREAM: ["nats"],
        Kind.DISK: ["data"],
    }


def plan(
    seed: int,
    number: int,
    seconds: float,
    kinds: Iterable[Kind],
    targets: Mapping[Kind, list[str]],
) -> list[Fault]:
    """The faults of round `number`: the same each time for the same arguments.

    The kinds come in turns that the seed shuffles, so a long enough run has them all.
    `EVERYTHING` comes once a round at most: nothing else could be seen otherwise.
    """
    dice = random.Random(f"{seed}/{number}")  # noqa: S311 - no secret
    wanted = sorted({kind for kind in kinds if targets.get(kind)})
    if not wanted:
        return []
    dice.shuffle(wanted)
    turns = islice(cycle(wanted[number % len(wanted) :] + wanted), FAULTS_MAX)
    found: list[Fault] = []
    at, spent = FIRST_SECONDS, False
    for kind in turns:
        if at >= seconds:
            break
        if kind is Kind.EVERYTHING and spent:
            if len(wanted) == 1:
                break
            continue
        spent = spent or kind is Kind.EVERYTHING
        fault = _fault(dice, at, kind, targets[kind])
        found.append(fault)
        at = fault.ends_seconds + dice.uniform(*GAP_SECONDS)
    return found


def _fault(dice: random.Random, at: float, kind: Kind, targets: list[str]) -> Fault:
    lasts = dice.uniform(*LENGTH_SECONDS) if kind in LASTING else 0.0
    delay = dice.uniform(*DELAY_SECONDS) if kind is Kind.DELAY else 0.0
    return Fault(
        at_seconds=round(at, 3),
        kind=kind,
        target=dice.choice(targets),
        lasts_seconds=round(lasts, 3),
        delay_seconds=round(delay, 3),
    )
