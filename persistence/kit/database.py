"""A domain's database as one shard holds it: one writer and a few readers."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg

from bus.kit import traces

READERS_MAX = 4
CONNECT_SECONDS_MAX = 5.0
STATEMENT_SECONDS_MAX = 15.0
IDLE_IN_TRANSACTION_SECONDS_MAX = 2

CONNECTION_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TooManyConnectionsError,
    asyncpg.exceptions.ConnectionDoesNotExistError,
    OSError,
    TimeoutError,
)
"""What says that the server or the way to it failed, not the statement."""


class Db:
    """Reads on one connection; what the queries of a domain are given."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    @property
    def connection(self) -> Any:
        """The asyncpg connection, for the kit's own statements."""
        return self._connection

    async def fetch(self, sql: str, *values: Any) -> list[asyncpg.Record]:
        """All rows of a statement."""
        rows: list[asyncpg.Record] = await self._connection.fetch(sql, *values)
        return rows

    async def fetchrow(self, sql: str, *values: Any) -> asyncpg.Record | None:
        """The first row of a statement, or None."""
        return await self._connection.fetchrow(sql, *values)

    async def fetchval(self, sql: str, *values: Any) -> Any:
        """The first value of a statement's first row, or None."""
        return await self._connection.fetchval(sql, *values)


async def _traced(connection: Any) -> None:
    if traces.are_on():
        connection.add_query_logger(traces.log_statement)


@contextmanager
def _connecting() -> Iterator[None]:
    """A server that turns us away is a way that is closed, whatever its reason.

    The database is closed for maintenance, renamed, or has another password by now.
    """
    try:
        yield
    except CONNECTION_LOST:
        raise
    except asyncpg.PostgresError as error:
        raise ConnectionRefusedError(str(error)) from error


def _forget(_: float) -> None:
    """Nobody measures."""


async def _leave_as_it_is(_: Any) -> None:
    """Reads set nothing in their session, so nothing need be reset after each."""


class Database:
    """Connections of one incarnation of a shard, named so that a newer can end them."""

    def __init__(self, url: str, name: str, readers_max: int = READERS_MAX) -> None:
        self.name = name
        self._url = url
        self._readers_max = readers_max
        self._writer: asyncpg.Connection | None = None
        self._readers: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()
        self.readers_in_use = 0
        self.readers_waiting = 0
        self.acquired: Callable[[float], None] = _forget

    async def writer(self) -> asyncpg.Connection:
        """The one write connection, made anew when it was lost."""
        if self._writer is None or self._writer.is_closed():
            self._writer = await self._connect()
        return self._writer

    async def answers(self) -> bool:
        """Whether the server answers on a read connection."""
        try:
            async with self.read() as db:
                return bool(await db.fetchval("SELECT true"))
        except CONNECTION_LOST:
            return False

    @property
    def readers_open(self) -> int:
        """How many read connections are open."""
        return 0 if self._readers is None else self._readers.get_size()

    async def drop_writer(self) -> None:
        """Forget the write connection, whatever state it is in."""
        writer, self._writer = self._writer, None
        if writer is not None and not writer.is_closed():
            writer.terminate()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Db]:
        """A read connection for the length of the block."""
        async with self._opening:
            if self._readers is None:
                self._readers = await asyncpg.create_pool(
                    self._url,
                    min_size=0,
                    max_size=self._readers_max,
                    timeout=CONNECT_SECONDS_MAX,
                    command_timeout=STATEMENT_SECONDS_MAX,
                    server_settings=self._settings(),
                    reset=_leave_as_it_is,
                    init=_traced,
                )
            readers = self._readers
        began_at = time.perf_counter()
        self.readers_waiting += 1
        try:
            with _connecting():
                connection = await readers.acquire(timeout=CONNECT_SECONDS_MAX)
        finally:
            self.readers_waiting -= 1
        self.acquired(time.perf_counter() - began_at)
        self.readers_in_use += 1
        try:
            yield Db(connection)
        finally:
            self.readers_in_use -= 1
            await readers.release(connection)

    async def close(self) -> None:
        """End all connections."""
        await self.drop_writer()
        if self._readers is not None:
            self._readers.terminate()
            self._readers = None

    async def _connect(self) -> asyncpg.Connection:
        with _connecting():
            connection = await asyncpg.connect(
                self._url,
                timeout=CONNECT_SECONDS_MAX,
                command_timeout=STATEMENT_SECONDS_MAX,
                server_settings=self._settings(),
            )
        await _traced(connection)
        return connection

    def _settings(self) -> dict[str, str]:
        return {
            "application_name": self.name,
            "idle_in_transaction_session_timeout": str(
                IDLE_IN_TRANSACTION_SECONDS_MAX * 1000
            ),
            "tcp_keepalives_idle": "2",
            "tcp_keepalives_interval": "1",
            "tcp_keepalives_count": "3",
            "jit": "off",
        }
