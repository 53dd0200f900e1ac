"""A domain's database as a simulated shard holds it: the kit's own, on other wires."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from persistence.kit.database import (
    CONNECT_SECONDS_MAX,
    READERS_MAX,
    Database,
    Db,
)
from tests.simulation.store.reading import Found
from tests.simulation.store.relations import Blocked, Record
from tests.simulation.store.server import Faults, Server, Session

OUTSIDE_SECONDS = 0.01
LOST = "connection was closed in the middle of operation"


class Connection:
    """What the kit uses of asyncpg's connection."""

    def __init__(self, server: Server, session: Session, faults: Faults) -> None:
        self._server = server
        self._session = session
        self._faults = faults
        self._closed = False
        self._busy = False
        self._in_transaction = False
        session.closed = lambda: server.loop.world.later(faults.delay(), self._hear)

    async def fetch(self, sql: str, *args: Any) -> list[Record]:
        """All rows of a statement."""
        found = await self._call(sql, args)
        return [Record(found.names, row) for row in found.rows]

    async def fetchrow(self, sql: str, *args: Any) -> Record | None:
        """The first row of a statement."""
        rows = await self.fetch(sql, *args)
        return rows[0] if rows else None

    async def fetchval(self, sql: str, *args: Any) -> Any:
        """The first value of a statement's first row."""
        row = await self.fetchrow(sql, *args)
        return row[0] if row else None

    async def execute(self, sql: str, *args: Any) -> str:
        """Run a statement; its tag."""
        return (await self._call(sql, args)).tag

    def transaction(self) -> "ClientTransaction":
        """A transaction that is begun later, or by `async with`."""
        return ClientTransaction(self)

    def is_closed(self) -> bool:
        """Whether this end knows that it is over."""
        return self._closed

    def is_in_transaction(self) -> bool:
        """Whether a transaction was begun and not ended."""
        return self._in_transaction

    def terminate(self) -> None:
        """Hang up; the server hears of it a moment later."""
        self._closed = True
        self._server.loop.world.later(self._faults.delay(), self._session.end)

    async def control(self, word: str) -> None:
        """BEGIN, COMMIT or ROLLBACK."""
        if word == "BEGIN":
            self._in_transaction = True
        await self._call(word, ())
        if word != "BEGIN":
            self._in_transaction = False

    def _hear(self) -> None:
        self._closed = True

    async def _call(self, sql: str, args: tuple[Any, ...]) -> Found:
        if self._closed:
            raise asyncpg.InterfaceError("connection is closed")
        if self._busy:
            raise asyncpg.InterfaceError("another operation is in progress")
        self._busy = True
        answer: asyncio.Future[Any] = self._server.loop.create_future()
        self._later(self._arrive, sql, args, answer)
        try:
            end = await answer
        except BaseException:
            self.terminate()
            raise
        finally:
            self._busy = False
        if isinstance(end, BaseException):
            raise end
        found: Found = end
        return found

    def _later(self, call: Callable[..., Any], *values: Any) -> None:
        self._server.loop.world.later(self._faults.delay(), call, *values)

    def _arrive(self, sql: str, args: tuple[Any, ...], answer: Any) -> None:
        """A statement is at the server; the way there may have been the last."""
        faults, session, server = self._faults, self._session, self._server
        stalled = server.stalled_until - server.loop.time()
        if stalled > 0:
            server.loop.world.later(stalled, self._arrive, sql, args, answer)
            return
        if faults.chance.random() < faults.lost_before:
            session.end()
        if not session.alive:
            self._reply(answer, None)
            return
        try:
            self._reply(answer, session.run_now(sql, args))
        except Blocked as blocked:
            waiting = self._wait(sql, args, answer, blocked.holders)
            server.loop.world.spawn(waiting)
        except Exception as error:  # noqa: BLE001 - an answer, or our own fault
            self._refuse(sql, answer, error)

    async def _wait(
        self, sql: str, args: tuple[Any, ...], answer: Any, holders: list[Any]
    ) -> None:
        try:
            end = await self._session.run_later(sql, args, holders)
        except Exception as error:  # noqa: BLE001 - an answer, or our own fault
            self._refuse(sql, answer, error)
        else:
            self._reply(answer, end)

    def _refuse(self, sql: str, answer: Any, error: Exception) -> None:
        if not isinstance(error, asyncpg.PostgresError):
            self._server.broken(sql, error)
        self._reply(answer, error)

    def _reply(self, answer: Any, end: Any) -> None:
        """The way back, which may end before it is gone."""
        faults, session = self._faults, self._session
        if session.alive and faults.chance.random() < faults.lost_after:
            session.end()
        if not session.alive:
            end = asyncpg.ConnectionDoesNotExistError(LOST)
            self._closed = True
        self._later(_give, answer, end)


class ClientTransaction:
    """What the kit uses of asyncpg's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def start(self) -> None:
        """Begin."""
        await self._connection.control("BEGIN")

    async def commit(self) -> None:
        """End it, and let it count."""
        await self._connection.control("COMMIT")

    async def rollback(self) -> None:
        """End it as if it had never been."""
        await self._connection.control("ROLLBACK")

    async def __aenter__(self) -> None:
        await self.start()

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            await self.commit()
        elif not self._connection.is_closed():
            await self.rollback()


class SimDatabase(Database):
    """The kit's database, with connections to a server of the simulation."""

    def __init__(self, server: Server, name: str, faults: Faults) -> None:
        super().__init__("", name)
        self._server = server
        self._faults = faults
        self._idle: list[Connection] = []
        self._places = asyncio.Semaphore(READERS_MAX)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Db]:
        """A read connection for the length of the block."""
        async with asyncio.timeout(CONNECT_SECONDS_MAX):
            await self._places.acquire()
        try:
            while self._idle and self._idle[-1].is_closed():
                self._idle.pop()
            connection: Any = self._idle.pop() if self._idle else await self._connect()
            yield Db(connection)
            self._idle.append(connection)
        finally:
            self._places.release()

    async def close(self) -> None:
        """End all connections."""
        await self.drop_writer()
        for connection in self._idle:
            connection.terminate()
        self._idle.clear()

    async def _connect(self) -> Any:
        loop, faults = self._server.loop, self._faults
        answer: asyncio.Future[Any] = loop.create_future()

        def connect() -> None:
            try:
                session = self._server.connect(self.name)
            except OSError as error:
                end: Any = error
            else:
                end = Connection(self._server, session, faults)
            loop.world.later(faults.delay(), _give, answer, end)

        loop.world.later(faults.delay(), connect)
        async with asyncio.timeout(CONNECT_SECONDS_MAX):
            end = await answer
        if isinstance(end, Exception):
            raise end
        return end


class Outside:
    """A connection from outside of the simulation: nothing on its way fails."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def fetch(self, sql: str, *args: Any) -> list[Record]:
        """All rows of a statement."""
        found = await self._run(sql, args)
        return [Record(found.names, row) for row in found.rows]

    async def execute(self, sql: str, *args: Any) -> str:
        """Run a statement."""
        return (await self._run(sql, args)).tag

    async def _run(self, sql: str, args: Any) -> Found:
        while True:
            try:
                return self._server.run(sql, *args)
            except Blocked:
                await asyncio.sleep(OUTSIDE_SECONDS)


def _give(answer: "asyncio.Future[Any]", end: Any) -> None:
    if not answer.done():
        answer.set_result(end)
