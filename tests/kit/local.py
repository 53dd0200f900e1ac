"""A shop in one process: real shards on real Postgres, without Ray, NATS or HTTP."""

import asyncio
import importlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
import structlog

from actors import DOMAINS
from actors.kit.adopting import Adopting
from actors.kit.asker import Asker
from actors.kit.clock import Clock
from actors.kit.domain import Domain
from actors.kit.lane import Address, ShardEnded, ShardGone, Transport
from actors.kit.relay import Published
from actors.kit.shard import Shard
from actors.kit.tenure import Tenure
from bus.kit.context import CURRENT, NONE
from bus.kit.messages import MESSAGE_TYPES
from bus.kit.settings import Settings
from persistence.kit import fence, partitions
from persistence.kit.database import Database
from persistence.kit.outbox import OutboxRow
from tests.kit.schemas import check_event
from tests.kit.standbys import LocalStandbys


def domain_class(name: str) -> type[Domain]:
    """The class of a domain in the table of domains."""
    module, _, attribute = DOMAINS[name].partition(":")
    found: type[Domain] = getattr(importlib.import_module(module), attribute)
    return found


class LocalTransport:
    """Hands envelopes to shards of this process; can lose them, or hold them."""

    def __init__(self) -> None:
        self.shards: dict[tuple[str, int], Shard | None] = {}
        self.tenures: dict[tuple[str, int], Tenure] = {}
        self.frozen: dict[tuple[str, int], asyncio.Event] = {}
        self.replaced: list[str] = []
        self.on_replace: Callable[[Address], Any] | None = None
        self.receives = 0

    async def receive(self, address: Address, envelope: bytes) -> bytes:
        self.receives += 1
        return await self._call(address, lambda one: one.receive(envelope))

    async def collect(self, address: Address, lane: str) -> bytes:
        return await self._call(address, lambda one: one.collect(lane))

    async def ping(self, address: Address) -> None:
        one = self._process(address)
        if address in self.frozen:
            await self.frozen[address].wait()
        if isinstance(one, Tenure):
            await one.ping()

    async def hand_over(self, address: Address) -> float | None:
        """What a command that renews the shard calls."""
        self._find(address)
        return await self.tenures[address].hand_over()

    async def replace(self, address: Address) -> None:
        self.replaced.append(str(address))
        if self.on_replace:
            await self.on_replace(address)

    def _find(self, address: Address) -> Shard:
        shard = self.shards.get(address)
        if address not in self.shards and address[1] > 0:
            raise ShardEnded(str(address))
        if shard is None:
            raise ShardGone(str(address))
        return shard

    def _process(self, address: Address) -> Shard | Tenure:
        """Who is called; a test may put a bare shard in its place."""
        shard, tenure = self._find(address), self.tenures.get(address)
        return tenure if tenure is not None and tenure.shard is shard else shard

    async def _call(self, address: Address, call: Callable[[Any], Any]) -> bytes:
        shard = self._find(address)
        if address in self.frozen:
            await self.frozen[address].wait()
        task = asyncio.ensure_future(call(self._process(address)))
        while not task.done():
            await asyncio.wait({task}, timeout=0.02)
            if self.shards.get(address) is not shard:
                task.cancel()
                raise ShardGone(str(address))
        if self.shards.get(address) is not shard:
            raise ShardGone(str(address))  # the dead answer nothing
        return bytes(task.result())


class LocalShop:
    """Some domains, each with `shards` shards, and what a test may do to them."""

    def __init__(
        self,
        urls: dict[str, str],
        shards: int,
        settings: Settings,
        clock: Clock,
        fakes: dict[str, type[Domain]],
        standbys: int = 0,
    ) -> None:
        self.urls = urls
        self.shard_count = shards
        self.settings = settings
        self.clock = clock
        self.transport = LocalTransport()
        self.transport.on_replace = self._replace
        self.standbys = LocalStandbys(self, standbys)
        self.asker = Asker(self.reach(), lambda _: self.shard_count, clock)
        self.ask = self.asker.ask
        self.bus_down = False
        self.publish: Callable[[list[OutboxRow]], Any] | None = None
        self.published: list[dict[str, Any]] = []
        self._delivered = 0
        self._checked: set[str] = set()
        self._classes = {
            name: fakes[name] if name in fakes else domain_class(name) for name in urls
        }
        self.left: list[str] = []
        self._connections: list[asyncpg.Connection] = []
        self._readers: dict[str, asyncpg.Connection] = {}
        self._reading = asyncio.Lock()
        self.ended: list[Address] = []

    def reach(self) -> Transport:
        """How one more process reaches the shards."""
        return self.adopting() if self.standbys.of else self.transport

    def adopting(self) -> Adopting:
        """The same, where there are standbys."""
        return Adopting(self.transport, self.standbys, len(self.standbys.of))

    async def start(self) -> None:
        """Start all shards."""
        await asyncio.gather(
            *(
                self.restart(name, number)
                for name in self.urls
                for number in range(self.shard_count)
            )
        )
        for standby in self.standbys.of:
            assert standby is not None
            standby._handed_back.clear()  # as if all had started long ago

    def make(self, name: str, number: int) -> Shard:
        """A new incarnation, not started and not reachable yet."""
        domain = self._classes[name]()
        domain.settings = self.settings
        domain.ask = Asker(self.reach(), lambda _: self.shard_count, self.clock).ask
        application = f"souk:{name}/{number}:{uuid4().hex[:8]}"
        database = Database(self.urls[name], application)

        async def leave() -> None:
            self.left.append(application)

        return Shard(
            domain,
            number,
            database,
            publish=self._publish,
            leave=leave,
            log=structlog.get_logger(name),
            clock=self.clock,
        )

    async def restart(self, name: str, number: int = 0) -> Shard:
        """Start a new incarnation that takes over and can be reached."""
        shard, address = self.make(name, number), Address((name, number))
        tenure = Tenure(
            address,
            shard,
            self.adopting(),
            end=lambda: self.ended.append(address),
            log=structlog.get_logger(name),
            clock=self.clock,
        )
        await tenure.start()
        self.transport.tenures[address] = tenure
        self.transport.shards[address] = shard
        return shard

    def shard(self, name: str, number: int = 0) -> Shard:
        """The incarnation that can be reached."""
        shard = self.transport.shards[name, number]
        assert shard is not None
        return shard

    async def kill(self, name: str, number: int = 0) -> None:
        """End a shard as SIGKILL would: nothing is finished, connections drop."""
        shard = self.transport.shards.get((name, number))
        self.transport.shards[name, number] = None
        if shard is not None:
            await shard.database.drop_writer()
            await shard.stop()

    async def database(self, name: str) -> asyncpg.Connection:
        """A connection of the test's own; closed with the shop."""
        connection = await asyncpg.connect(self.urls[name])
        self._connections.append(connection)
        return connection

    async def rows(self, name: str, sql: str, *values: Any) -> list[dict[str, Any]]:
        """What a statement answers in a domain's database."""
        async with self._reading:
            url = self.urls[name]  # a test may put another in its place
            reader = self._readers.get(url)
            if reader is None or reader.is_closed():
                reader = self._readers[url] = await self.database(name)
            return [dict(row) for row in await reader.fetch(sql, *values)]

    async def events(self, name: str | None = None) -> list[dict[str, Any]]:
        """All told events of the domains, as CloudEvents, in each slot's order.

        Each is checked against its published schema when it is first read.
        """
        found: list[dict[str, Any]] = []
        for domain in [name] if name else list(self.urls):
            sql = "SELECT payload FROM outbox ORDER BY slot, n"
            found += [
                json.loads(row["payload"]) for row in await self.rows(domain, sql)
            ]
        for event in found:
            if event["id"] not in self._checked:
                check_event(event)
                self._checked.add(event["id"])
        return found

    async def deliver(self, quiet_seconds: float = 0.3) -> None:
        """Hand told events to their consumers, in order, until nothing new is told."""
        loop = asyncio.get_running_loop()
        quiet_since = loop.time()
        while loop.time() - quiet_since < quiet_seconds:
            while self._delivered < len(self.published):
                await self._deliver(self.published[self._delivered])
                self._delivered += 1
                quiet_since = loop.time()
            await asyncio.sleep(0.02)

    async def _deliver(self, event: dict[str, Any]) -> None:
        kind = MESSAGE_TYPES[event["type"].rsplit(".v", 1)[0]]
        message = msgspec.convert(event["data"], kind, strict=False)
        for name, domain in self._classes.items():
            if kind in domain.consumes():
                await self.ask(
                    message,
                    id=UUID(event["id"]),
                    sequence=int(event["sequence"]),
                    domain=name,
                    join=True,
                )

    async def leave(self) -> None:
        """End the test's own connections; a later statement makes another."""
        for connection in self._connections:
            await connection.close()
        self._connections.clear()

    async def stop(self) -> None:
        """End all shards."""
        await self.leave()
        await self.standbys.stop()
        for tenure in self.transport.tenures.values():
            if tenure._ending is not None:
                tenure._ending.cancel()
        for shard in self.transport.shards.values():
            if shard is not None:
                await shard.stop()

    async def _publish(self, rows: list[OutboxRow]) -> Published:
        if self.publish is not None:
            reply: Published = await self.publish(rows)
            return reply
        if self.bus_down:
            raise ConnectionError("the bridge is stopped")
        self.published += [json.loads(row.payload) for row in rows]
        upto = {row.slot: row.n for row in rows}
        return Published(upto, "the only one", len(self.published))

    async def _replace(self, address: Address) -> None:
        name, number = address
        self.transport.shards[name, number] = None
        self.transport.frozen.pop(address, None)
        await self.restart(name, number)


class Databases:
    """Fresh databases for tests, copied from templates that are migrated once.

    One connection makes and drops them all: a test has up to nine, and a connection
    costs as much as a copy.
    """

    def __init__(self, superuser_url: str) -> None:
        self.superuser_url = superuser_url
        self._templates: set[tuple[str, int]] = set()
        self._maker: asyncpg.Connection | None = None
        self._making = asyncio.Lock()

    async def fresh(self, domain: str, shards: int) -> str:
        """A new, migrated database of a domain, spread over so many shards."""
        from persistence.kit.migrations import migrate

        template = f"template_{domain}"
        if (domain, 1) not in self._templates:
            await self._run(f"CREATE DATABASE {template}")
            await migrate(domain, self._at(template))
            await self._prepare(template)
            self._templates.add((domain, 1))
        if (domain, shards) not in self._templates:
            await self._spread(template, shards)
            self._templates.add((domain, shards))
        name = f"{domain}_{uuid4().hex[:10]}"
        await self._copy(template if shards == 1 else f"{template}_{shards}", name)
        return self._at(name)

    async def drop(self, url: str) -> None:
        """Remove a database that `fresh` made."""
        name = url.rsplit("/", 1)[1]
        await self._run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    async def close(self) -> None:
        """End the connection that makes databases."""
        maker, self._maker = self._maker, None
        if maker is not None:
            await maker.close()

    async def _copy(self, template: str, name: str) -> None:
        await self._run(
            f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy"
        )

    async def _spread(self, template: str, shards: int) -> None:
        """Make a template whose slots are of so many shards: not in every copy."""
        spread = f"{template}_{shards}"
        await self._copy(template, spread)
        connection = await asyncpg.connect(self._at(spread))
        await fence.assign(connection, shards)
        await connection.close()

    async def _prepare(self, template: str) -> None:
        """Make the partitions of these days once, and not in every copy."""
        connection = await asyncpg.connect(self._at(template))
        await partitions.ensure(connection)
        await connection.close()

    def _at(self, name: str) -> str:
        return f"{self.superuser_url.rsplit('/', 1)[0]}/{name}"

    async def _run(self, sql: str) -> None:
        async with self._making:
            if self._maker is None or self._maker.is_closed():
                self._maker = await asyncpg.connect(self.superuser_url)
            await self._maker.execute(sql)


@asynccontextmanager
async def local_shop(
    databases: Databases,
    *domains: str,
    shards: int = 1,
    settings: Settings | None = None,
    clock: Clock | None = None,
    fakes: dict[str, type[Domain]] | None = None,
    standbys: int = 0,
) -> AsyncIterator[LocalShop]:
    """A started shop of these domains on databases of its own.

    `fakes` are domains written by hand in a test, in the place of real ones.
    """
    CURRENT.set(NONE)  # what a test before has asked for is no request of this shop's
    settings = (settings or Settings(bcrypt_rounds=4)).changed(shards_each=shards)
    urls = {name: await databases.fresh(name, shards) for name in domains}
    shop = LocalShop(urls, shards, settings, clock or Clock(), fakes or {}, standbys)
    try:
        await shop.start()
        yield shop
    finally:
        await shop.stop()
        for url in urls.values():
            await databases.drop(url)
