"""A run: rounds of load and faults at one shop, each checked when it is over."""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from actors.auditing.books import Books, Violation
from bus.kit.settings import Settings
from scripts.auditing.commands import audited
from scripts.auditing.place import Place, running_place
from scripts.benching.goods import signed_in
from scripts.breaking.checking import Evidence, answered_orders, broken, copies
from scripts.breaking.faults import Breaker, Hit
from scripts.breaking.finding import Finder
from scripts.breaking.journal import Entry, Journal
from scripts.breaking.load import Load
from scripts.breaking.plan import OWN_SHOP, Fault, Kind, plan, targets_of
from scripts.breaking.recovering import recovery_seconds
from scripts.breaking.world import World, own_world
from scripts.launcher.failures import Failure
from scripts.launcher.keys import read_credentials

SKUS = 12
PIECES = 1_000_000
SETTLE_SECONDS = 60.0
STREAM_SECONDS = 15.0
"""How long it may take until every domain has seen that the stream was lost."""
DISK_BYTES = 2 << 30
"""The size of a shop's own file system where it is to be filled."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be broken; see the options of the command."""

    seed: int
    seconds: float
    kinds: tuple[Kind, ...]
    targets: tuple[str, ...] = ()
    rounds: int = 1
    first: int = 0
    rate: float = 10.0
    shards: int = 1
    start: bool = False

    def replay(self, number: int) -> str:
        """The command that does round `number` again, alone."""
        words = [
            f"./scripts/chaos --seed {self.seed} --first {number} --rounds 1",
            f"--seconds {self.seconds:g} --rate {self.rate:g} --shards {self.shards}",
            f"--faults {','.join(self.kinds)}",
        ]
        words += [f"--targets {','.join(self.targets)}"] if self.targets else []
        return " ".join([*words, "--start"] if self.start else words)


class Felt(msgspec.Struct, frozen=True, kw_only=True):
    """A fault that was done and how long it was felt, from its begin."""

    fault: str
    at_seconds: float
    lasted_seconds: float
    recovered_seconds: float | None
    skipped: str = ""


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a round; `requests` by kind and answer, `copies` are of mails.

    `bugs` are answers 500: each is asked again, and none should be there.
    """

    number: int
    faults: list[Felt]
    requests: dict[str, int]
    asked_again: int
    bugs: int
    left_out: int
    settled_seconds: float
    mails: int
    copies: int
    violations: list[Violation]
    replay: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a run; `fault_seconds` are the recoveries by fault, sorted."""

    seed: int
    rounds: list[Round]
    fault_seconds: dict[str, list[float]]

    @property
    def violations(self) -> int:
        """How many promises were broken, over all rounds."""
        return sum(len(one.violations) for one in self.rounds)


async def run(settings: Settings, wish: Wish, journal_path: Path) -> Report:
    """Break the shop, or one of its own; stops after the first round with a violation.

    Raises `Failure` where that shop cannot be broken so.
    """
    rounds: list[Round] = []
    async with _shop(settings, wish) as (place, world):
        with Journal(journal_path) as journal:
            one_run = _Run(wish, place, world, journal)
            await one_run.prepare()
            for number in range(wish.first, wish.first + wish.rounds):
                rounds.append(await one_run.round(number))
                if rounds[-1].violations:
                    break
    return Report(seed=wish.seed, rounds=rounds, fault_seconds=by_fault(rounds))


def by_fault(rounds: Iterable[Round]) -> dict[str, list[float]]:
    """The recoveries of each fault, sorted; only those that were seen."""
    found: dict[str, list[float]] = {}
    for felt in (felt for one in rounds for felt in one.faults):
        if felt.recovered_seconds is not None:
            found.setdefault(felt.fault, []).append(felt.recovered_seconds)
    return {name: sorted(each) for name, each in sorted(found.items())}


@asynccontextmanager
async def _shop(
    settings: Settings, wish: Wish
) -> AsyncIterator[tuple[Place, World | None]]:
    if wish.start:
        size = DISK_BYTES if Kind.DISK in wish.kinds else 0
        async with own_world(shards=wish.shards, disk_bytes=size) as world:
            yield world.place(), world
        return
    if foreign := sorted(set(wish.kinds) & OWN_SHOP):
        raise Failure(f"{', '.join(foreign)}: only with --start")
    if settings.profile == "production":
        raise Failure("a shop in production is not broken on purpose")
    yield running_place(settings), None


class _Run:
    """The shop that is broken, and what is known of it so far."""

    def __init__(
        self, wish: Wish, place: Place, world: World | None, journal: Journal
    ) -> None:
        self._wish, self._place, self._world = wish, place, world
        self._journal = journal
        self._hits: list[Hit] = []
        self._skus = tuple(f"CHAOS-{number:03}" for number in range(SKUS))
        accounts = read_credentials(place.settings.data_dir)
        if "admin" not in accounts:
            raise Failure("there is no administrator in credentials.json")
        self._admin = accounts["admin"]

    async def prepare(self) -> None:
        """Goods to sell."""
        login = {key: self._admin[key] for key in ("email", "password")}
        async with signed_in(self._place.run.urls["local"], login) as seller:
            for sku in self._skus:
                await seller.make(sku, PIECES)

    async def round(self, number: int) -> Round:
        """Load with its faults beside, then rest, then the checks."""
        faults = self._planned(number)
        _say(f"round {number}: {', '.join(each.name for each in faults)}")
        load = Load(
            self._place.run.urls["local"],
            self._journal,
            self._skus,
            self._admin,
            f"{self._wish.seed}/{number}/load",
        )
        finder = Finder(self._place, self._world)
        breaker = Breaker(self._place.settings.data_dir, finder, self._world)
        before = {entry.key for entry in self._journal.entries}
        end = time.monotonic() + self._wish.seconds
        breaking = asyncio.create_task(breaker.run(faults))

        def over() -> bool:
            return breaking.done() and time.monotonic() > end

        await load.run(self._wish.rate, over)
        hits = await breaking
        self._hits += hits
        evidence = await self._evidence(hits)
        fresh = [entry for entry in self._journal.entries if entry.key not in before]
        return self._told(number, hits, fresh, evidence, load.late)

    def _planned(self, number: int) -> list[Fault]:
        wish, settings = self._wish, self._place.settings
        shards = {name: settings.shards(name) for name in self._place.run.shards}
        through = [] if self._world is None else list(self._world.proxies)
        targets = targets_of(
            *(shards, settings.bridges, settings.gateway_replicas),
            standbys=settings.standbys,
            through=through,
        )
        if wish.targets:
            targets = {
                kind: [one for one in names if one in wish.targets]
                for kind, names in targets.items()
            }
        found = plan(wish.seed, number, wish.seconds, wish.kinds, targets)
        if not found:
            raise Failure("no fault is planned: longer --seconds, or other --targets")
        return found

    async def _evidence(self, hits: list[Hit]) -> Evidence:
        entries = self._journal.entries
        quiet_at = max(
            max((hit.ended_at for hit in hits), default=0.0),
            max((entry.ended_at for entry in entries), default=0.0),
        )
        if any(hit.fault.kind is Kind.STREAM for hit in hits):
            # Nothing looks busy before a domain that tells nothing has seen the loss.
            await asyncio.sleep(max(0.0, quiet_at + STREAM_SECONDS - time.time()))
        place = self._place if self._world is None else self._world.place()
        answered, begun_at = answered_orders(entries), time.time()
        verdict, books = await audited(
            place, settle_seconds=SETTLE_SECONDS, answered=answered
        )
        rested_at = begun_at + verdict.rest.seconds
        mails = None if self._world is None else dict(self._world.mails.taken)
        return Evidence(
            entries=entries,
            books=books,
            hits=self._hits,
            mails=mails,
            audited=verdict.violations,
            settled_seconds=rested_at - quiet_at,
            busy=verdict.rest.busy,
        )

    def _told(
        self,
        number: int,
        hits: list[Hit],
        fresh: list[Entry],
        evidence: Evidence,
        left_out: int,
    ) -> Round:
        counts = Counter(f"{entry.kind} {entry.status or 'unknown'}" for entry in fresh)
        return Round(
            number=number,
            faults=[_felt(hit, evidence.entries, evidence.books) for hit in hits],
            requests=dict(sorted(counts.items())),
            asked_again=sum(max(0, entry.tries - 1) for entry in fresh),
            bugs=sum(entry.bugs for entry in fresh),
            left_out=left_out,
            settled_seconds=evidence.settled_seconds,
            mails=sum((evidence.mails or {}).values()),
            copies=copies(evidence.mails),
            violations=broken(evidence),
            replay=self._wish.replay(number),
        )


def _felt(hit: Hit, entries: list[Entry], books: Books) -> Felt:
    return Felt(
        fault=hit.fault.name,
        at_seconds=hit.fault.at_seconds,
        lasted_seconds=hit.ended_at - hit.at,
        recovered_seconds=recovery_seconds(hit, entries, books),
        skipped=hit.skipped,
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
