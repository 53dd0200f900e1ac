"""A shop of simulated processes: real shards and bridge, and everything around them.

What Ray does is done here: an actor that dies is started again, calls under way fail,
one that was frozen may go on as if nothing had been. Nothing of the kit is replaced
but the four things that it takes: its clock, its transport, its database, its bus.
"""

import asyncio
import hashlib
import random
from collections.abc import Callable, Coroutine
from typing import Any

import sqlalchemy as sa

from actors.kit.adopting import Adopting
from actors.kit.asker import Asker
from actors.kit.clock import Clock
from actors.kit.domain import Domain
from actors.kit.lane import Address, ShardGone
from actors.kit.lane import Transport as WayTo
from actors.kit.relay import Published
from actors.kit.shard import Shard
from actors.kit.standby import Leave, Standby
from actors.kit.tenure import Tenure
from bus.kit.bridge import Bridge
from bus.kit.settings import Settings
from persistence.kit import fence
from persistence.kit.outbox import OutboxRow
from tests.simulation.bus import Broker, Faulty
from tests.simulation.faults import Rates, drawn
from tests.simulation.jetstream import Client
from tests.simulation.loop import Node, SimLoop
from tests.simulation.processes import Log, Process, Standbys, Transport
from tests.simulation.store.client import Outside, SimDatabase
from tests.simulation.store.server import Faults, Server

RESTART_SECONDS_MAX = 1.4
NOTICE_SECONDS_MAX = 0.3
PUBLISH_SECONDS_MAX = 15.0
DEATH_SECONDS_MAX = 0.5
DOOM_SECONDS_MAX = 0.03
LINES_MAX = 200_000

Kinds = dict[str, tuple[type[Domain], sa.MetaData]]


class World:
    """All processes of one run, and what is between them."""

    def __init__(
        self,
        loop: SimLoop,
        seed: int,
        kinds: Kinds,
        shards: int,
        *,
        standbys: int,
        tracing: bool,
    ) -> None:
        self.loop = loop
        self.standbys = standbys
        self.chance = random.Random(f"world {seed}")
        self.rates, self.faults = drawn(random.Random(f"faults {seed}"))
        self.kinds = kinds
        self.shards = shards
        self.settings = Settings(bcrypt_rounds=4, shards_each=shards)
        self.lines: list[str] = []
        self.violations: list[str] = []
        self.expects: Callable[[str, Any], bool] = lambda _, __: False
        self.make_domain: Callable[[str], Domain] = lambda name: kinds[name][0]()
        self.servers = {
            name: Server(loop, name, metadata) for name, (_, metadata) in kinds.items()
        }
        self.way = Faults(random.Random(f"store {seed}"))
        self.broker = Broker(loop, Faulty(random.Random(f"bus {seed}")))
        self.current: dict[str, Process] = {}
        self.zombies: list[Process] = []
        self.started_total = 0
        self.disordered = False
        self._tracing = tracing
        self._digest = hashlib.blake2b(digest_size=16)
        for server in self.servers.values():
            server.broken = lambda sql, error: self.violate(f"{error!r}: {sql}")

    # --- what was seen -------------------------------------------------------

    def note(self, line: str) -> None:
        """Write into the trace."""
        line = f"{self.loop.time():10.6f} {line}"
        self._digest.update(line.encode())
        if self._tracing and len(self.lines) < LINES_MAX:
            self.lines.append(line)

    def violate(self, what: str) -> None:
        """A promise is broken; the run goes on to its next look."""
        self.note(f"VIOLATION {what}")
        self.violations.append(what)

    @property
    def fingerprint(self) -> str:
        """The same for two runs only if they went the same way."""
        return f"{self._digest.hexdigest()}-{self.loop.steps}"

    # --- processes -----------------------------------------------------------

    async def start(self) -> None:
        """Spread the slots and start everything."""
        for name, server in self.servers.items():
            await fence.assign(Outside(server), self.settings.shards(name))
        self.start_bridge()
        for name in self.kinds:
            for number in range(self.settings.shards(name)):
                self.start_shard(name, number)
        for number in range(self.standbys):
            self.start_standby(number)

    def caller(self, name: str) -> tuple[Node, Asker]:
        """A process that only asks; it never fails."""
        node = Node(self.loop, name)
        return node, Asker(self.reach(), self.settings.shards, Clock(), name)

    def start_shard(self, domain: str, number: int) -> None:
        """A new incarnation of a shard."""
        address = Address((domain, number))
        process = self._begin(str(address))
        adopting = self.adopting()

        async def leave() -> None:
            self.loop.world.later(0, self._leave, process)

        async def start() -> None:
            name = process.node.name
            process.shard = self.make_shard(process, address, name, leave)
            if self.standbys:
                process.tenure = Tenure(
                    *(address, process.shard, adopting),
                    end=lambda: self.loop.world.later(0, self.kill, process),
                    log=Log(self, name),
                )
            process.made.set()
            await process.owner.start()

        process.starting = process.node.spawn(start())

    def make_shard(
        self, process: Process, address: Address, name: str, leave: Leave
    ) -> Shard:
        """A shard in this process, whose database sessions are called so."""
        domain, number = address
        made = self.make_domain(domain)
        made.settings = self.settings
        reach, shards = self.reach(), self.settings.shards
        made.ask = Asker(reach, shards, Clock(), str(address)).ask
        process.sessions.add(f"souk:{name}")
        return Shard(
            made,
            number,
            SimDatabase(self.servers[domain], f"souk:{name}", self.way),
            publish=self._publish,
            leave=leave,
            log=Log(self, process.node.name),
            clock=Clock(),
        )

    def start_standby(self, number: int) -> None:
        """A new incarnation of a standby."""
        process = self._begin(f"standby/{number}")

        def make(address: Address, leave: Leave) -> Shard:
            self.started_total += 1
            name = f"{address}:{self.started_total:04d}"
            return self.make_shard(process, address, name, leave)

        async def start() -> None:
            log = Log(self, process.node.name)
            process.standby = Standby(
                make,
                self._is_dead,
                Transport(self).ping,  # here they wake up by themselves
                log=log,
                name=process.name,
                clock=Clock(),
            )
            process.made.set()

        process.starting = process.node.spawn(start())

    async def _is_dead(self, address: Address) -> bool:
        """What Ray says; now and then it is wrong."""
        if self.chance.random() < self.rates.call_lost:
            return True
        try:
            async with asyncio.timeout(DEATH_SECONDS_MAX):
                await Transport(self).ping(address)
        except ShardGone:
            return True
        except TimeoutError:
            return False
        return False

    def adopting(self) -> Adopting:
        """How a process reaches the shards, dead ones too."""
        return Adopting(Transport(self), Standbys(self), self.standbys)

    def reach(self) -> WayTo:
        """The same; without standbys it is a plain way."""
        return self.adopting() if self.standbys else Transport(self)

    def start_bridge(self) -> None:
        """A new incarnation of the bridge."""
        process = self._begin("bridge/0")
        asker = Asker(self.reach(), self.settings.shards, Clock(), "bridge/0")
        consumers = {name: kind.consumes() for name, (kind, _) in self.kinds.items()}

        async def connect(*_: Any) -> Client:
            return Client(self.broker)

        async def start() -> None:
            process.bridge = Bridge(
                "",
                asker.ask,
                name="bridge/0",
                consumers={name: some for name, some in consumers.items() if some},
                services={},
                log=Log(self, process.node.name),
                connect=connect,
            )
            process.made.set()
            await process.bridge.start()

        process.starting = process.node.spawn(start())

    def _begin(self, name: str) -> Process:
        self.started_total += 1
        process = Process(name, Node(self.loop, f"{name}:{self.started_total:04d}"))
        self.current[name] = process
        self.note(f"start {process.node.name}")
        return process

    def kill(self, process: Process, *, again: bool = True) -> None:
        """End a process as SIGKILL would; Ray starts it again."""
        if not process.node.alive:
            return
        self.note(f"kill {process.node.name}")
        process.node.kill()
        self.disordered |= process.bridge is not None
        for server in self.servers.values():
            for session in list(server.sessions):
                if session.name in process.sessions:
                    self.loop.world.later(self.way.delay(), session.end)
        for answer in process.calls:
            seconds = self.chance.random() * NOTICE_SECONDS_MAX
            self.loop.world.later(seconds, _fail, answer, process.name)
        process.calls.clear()
        if process in self.zombies:
            self.zombies.remove(process)
        elif again:
            seconds = 0.1 + self.chance.random() * RESTART_SECONDS_MAX
            self.loop.world.later(seconds, self._restart, process)

    def replace(self, name: str) -> None:
        """Somebody took a process for dead."""
        process = self.current[name]
        if process.node.alive:
            self.kill(process)

    def cut_off(self, process: Process) -> None:
        """Nobody can reach a process any more, or kill it: a new one takes its place.

        It goes on with what it has, on its own connections to the database.
        """
        self.zombies.append(process)
        for answer in process.calls:
            _fail(answer, process.name)
        process.calls.clear()
        self._restart(process)

    def _restart(self, process: Process) -> None:
        if self.current[process.name] is not process:
            return
        domain, _, number = process.name.partition("/")
        if domain == "bridge":
            self.start_bridge()
        elif domain == "standby":
            self.start_standby(int(number))
        else:
            self.start_shard(domain, int(number))

    def _leave(self, process: Process) -> None:
        """It was superseded, and ends; Ray starts again whom it counts as its own."""
        self.note(f"{process.node.name} leaves")
        self.kill(process)

    # --- calls ---------------------------------------------------------------

    async def call(
        self,
        name: str,
        work: Callable[[Process], Coroutine[Any, Any, Any]],
        *,
        breaks: bool = False,
    ) -> Any:
        """Call a process, over a way that may break; raises ShardGone."""
        answer: asyncio.Future[Any] = self.loop.create_future()
        self.loop.world.later(self._delay(), self._arrive, name, work, answer, breaks)
        end = await answer
        if isinstance(end, Exception):
            raise end
        return end

    def _arrive(self, name: str, work: Any, answer: Any, breaks: bool) -> None:
        process = self.current.get(name)
        rates = self.rates if breaks else _QUIET
        lost = self.chance.random() < rates.call_lost
        if process is None or not process.node.alive or lost:
            self.loop.world.later(self._delay(), _fail, answer, name)
            return
        if breaks and process.doom is not None:
            doom, process.doom = process.doom, None
            self.loop.world.later(self.chance.random() * DOOM_SECONDS_MAX, doom)
        process.calls[answer] = None
        task = process.node.spawn(_run(process, work))

        def done(ended: "asyncio.Task[Any]") -> None:
            if process.calls.pop(answer, 0) == 0 or ended.cancelled():
                return
            end: Any = ended.exception() or ended.result()
            if self.chance.random() < rates.answer_lost:
                end = ShardGone(name)
            self.loop.world.later(self._delay(), _give, answer, end)

        task.add_done_callback(done)
        if self.chance.random() < rates.call_doubled:
            seconds = self.chance.random() * 2
            self.loop.world.later(seconds, self._come_again, name, work)

    def _come_again(self, name: str, work: Any) -> None:
        """A second copy of a call arrives; nobody hears its answer."""
        process = self.current[name]
        if process.node.alive:
            self.note(f"again at {process.node.name}")
            process.node.spawn(_run(process, work))

    async def _publish(self, rows: list[OutboxRow]) -> Published:
        async def publish(one: Process) -> Published:
            await asyncio.shield(one.starting)
            return Published(*await one.bridge.publish(rows))

        try:
            async with asyncio.timeout(PUBLISH_SECONDS_MAX):
                published: Published = await self.call("bridge/0", publish)
        except (ShardGone, TimeoutError) as error:
            raise ConnectionError("the bridge is away") from error
        return published

    def _delay(self) -> float:
        return self.chance.random() * self.rates.network_seconds

    # --- faults --------------------------------------------------------------

    def use_rates(self, rates: Rates) -> None:
        """From now on words are lost this often."""
        self.disordered |= rates.bus_lost > 0 or rates.bus_answer_lost > 0
        self.rates = rates
        self.way.lost_before = rates.statement_lost / 4
        self.way.lost_after = rates.commit_lost / 4
        self.broker.faults.request_lost = rates.bus_lost
        self.broker.faults.answer_lost = rates.bus_answer_lost
        self.broker.faults.doubled = rates.bus_doubled
        self.broker.faults.late = rates.bus_late

    def heal(self) -> None:
        """From now on nothing fails, and whatever was frozen goes on."""
        self.note("heal")
        self.use_rates(_QUIET)
        for process in [*self.current.values(), *self.zombies]:
            process.doom = None
            process.node.thaw()
        for server in self.servers.values():
            server.up, server.stalled_until = True, 0.0
        self.broker.rise()


async def _run(process: Process, work: Any) -> Any:
    await process.made.wait()
    return await work(process)


def _fail(answer: "asyncio.Future[Any]", name: str) -> None:
    _give(answer, ShardGone(name))


def _give(answer: "asyncio.Future[Any]", end: Any) -> None:
    if not answer.done():
        answer.set_result(end)


_QUIET = Rates(*[0.0] * 9, network_seconds=0.001)
