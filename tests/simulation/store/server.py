"""The server: sessions, transactions, locks, and how it lets its clients down."""

import asyncio
import itertools
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import sqlalchemy as sa

from tests.simulation.loop import EPOCH_SECONDS, SimLoop
from tests.simulation.store.expressions import Scope, compiled
from tests.simulation.store.reading import Found
from tests.simulation.store.relations import Blocked, Column, Row, Table, Values
from tests.simulation.store.statements import planned
from tests.simulation.store.words import Tokens, expression

IDLE_IN_TRANSACTION_SECONDS_MAX = 2.0
DEADLOCK_SECONDS = 1.0

Change = tuple[str, Values | None, Values | None]


class Transaction:
    """What a session has under way; `held` are the rows that it keeps from others."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.held: dict[Row, Table] = {}
        self.undo: list[tuple[Table, Row, Any, Any]] = []
        self.ended = asyncio.Event()
        self.failed = False
        self.waits_for: list[Any] = []


class Run:
    """One statement under way: its values, its transaction, what WITH has named."""

    def __init__(self, session: "Session", args: tuple[Any, ...]) -> None:
        self.args = args
        self.named: dict[str, tuple[list[str], list[Values]]] = {}
        self.known: dict[Any, Any] = {}
        self._session = session
        self._server = session.server
        self.holder = session.transaction

    def table(self, name: str) -> Any:
        """A table, or the columns and rows of what only looks like one."""
        if name in self.named:
            return self.named[name]
        if name == "pg_stat_activity":
            sessions = [one.shown() for one in self._server.sessions]
            return ["pid", "application_name", "usename"], sessions
        if name in ("pg_class", "pg_inherits"):
            return [], []  # days have no tables of their own here
        return self._server.tables[name]

    def call(self, name: str, *values: Any) -> Any:
        """A function that looks at the server, or changes it."""
        if name in ("now", "transaction_timestamp"):
            return self.holder.now if self.holder else self._server.now()
        if name in ("clock_timestamp", "statement_timestamp"):
            return self._server.now()
        if name == "current_date":
            return self._server.now().date()
        if name == "nextval":
            return self._server.count(values[0])
        if name == "pg_terminate_backend":
            return self._server.terminate(values[0])
        if name == "pg_backend_pid":
            return self._session.pid
        if name in ("current_user", "current_schema", "pg_advisory_xact_lock"):
            return "shop"
        raise NotImplementedError(f"the function {name}()")


class Session:
    """A connection as the server knows it."""

    def __init__(self, server: "Server", pid: int, name: str) -> None:
        self.server = server
        self.pid = pid
        self.name = name
        self.alive = True
        self.transaction: Any = None
        self.closed: Callable[[], None] = lambda: None
        self._alone = False
        self._busy = False
        self._idle_since = 0.0

    def shown(self) -> Values:
        """Its row of pg_stat_activity."""
        return {"pid": self.pid, "application_name": self.name, "usename": "shop"}

    def run_now(self, sql: str, args: tuple[Any, ...]) -> Found:
        """Run a statement, in its transaction or one of its own; raises Blocked."""
        self._busy = True
        if sql in _CONTROL:
            return self._rest(self._control(sql))
        if self.transaction is None:
            self._begin()
            self._alone = True
        mine, mark = self.transaction, len(self.transaction.undo)
        try:
            found = self._found(sql, args)
        except BaseException as error:
            _take_back(mine, mark)
            if not isinstance(error, Blocked):
                self._fail()
            raise
        if self._alone:
            self._end(committed=True)
        return self._rest(found)

    def _found(self, sql: str, args: tuple[Any, ...]) -> Found:
        if self.transaction.failed:
            raise asyncpg.InFailedSQLTransactionError("it has failed already")
        return planned(sql)(Run(self, args), None)

    async def run_later(
        self, sql: str, args: tuple[Any, ...], holders: list[Any]
    ) -> Found:
        """Run a statement for which others are in the way."""
        while True:
            try:
                await self._wait(self.transaction, holders)
            except asyncpg.DeadlockDetectedError:
                self._fail()
                raise
            try:
                return self.run_now(sql, args)
            except Blocked as blocked:
                holders = blocked.holders

    def end(self) -> None:
        """It is over; what it had not committed never was."""
        if not self.alive:
            return
        self.alive = False
        self.server.sessions.remove(self)
        if self.transaction is not None:
            self._end(committed=False)
        self.closed()

    def _control(self, sql: str) -> Found:
        if sql == "BEGIN":
            self._begin()
        elif self.transaction is None:
            raise asyncpg.NoActiveSQLTransactionError(sql)
        else:
            committed = sql == "COMMIT" and not self.transaction.failed
            self._end(committed=committed)
        return Found([], [], sql)

    def _begin(self) -> None:
        self.transaction = Transaction(self.server.now())

    def _fail(self) -> None:
        self.transaction.failed = True
        if self._alone:
            self._end(committed=False)
        self._rest(None)

    def _rest(self, found: Any) -> Any:
        self._busy = False
        self._watch_idleness()
        return found

    async def _wait(self, mine: Transaction, holders: list[Any]) -> None:
        """Wait until the others are over; of a circle one is given up."""
        mine.waits_for = holders
        try:
            if _waits_for(holders, mine):
                await asyncio.sleep(DEADLOCK_SECONDS)
                if self.alive and _waits_for(holders, mine):
                    raise asyncpg.DeadlockDetectedError("deadlock detected")
            else:
                waits = [asyncio.ensure_future(one.ended.wait()) for one in holders]
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            mine.waits_for = []
        if not self.alive:
            raise asyncpg.ConnectionDoesNotExistError("the session was ended")

    def _end(self, *, committed: bool) -> None:
        mine, self.transaction, self._alone = self.transaction, None, False
        changes = _changes(mine) if committed else []
        if changes:
            self.server.committing(self, changes)
        for row, table in mine.held.items():
            table.end(row, mine, committed=committed)
        if changes:
            self.server.committed(self, changes)
        mine.ended.set()

    def _watch_idleness(self) -> None:
        """Idle in a transaction for too long: the server ends the session."""
        if self.transaction is None or not self.alive:
            return
        self._idle_since = since = self.server.loop.time()

        def look() -> None:
            idle = self.transaction is not None and not self._busy
            if idle and self._idle_since == since:
                self.end()

        self.server.loop.world.later(IDLE_IN_TRANSACTION_SECONDS_MAX, look)


class Server:
    """One domain's database; `committing` and `committed` may watch what counts."""

    def __init__(self, loop: SimLoop, name: str, metadata: sa.MetaData) -> None:
        self.loop = loop
        self.name = name
        self.tables = {table.name: _table(table) for table in metadata.tables.values()}
        self.sessions: list[Session] = []
        self.up = True
        self.stalled_until = 0.0
        self.committing: Callable[[Session, list[Change]], None] = lambda *_: None
        self.committed: Callable[[Session, list[Change]], None] = lambda *_: None
        self.broken: Callable[[str, Exception], None] = lambda *_: None
        self._pids = 0
        self._counters: dict[str, int] = {}

    def now(self) -> datetime:
        """The server's time."""
        return datetime.fromtimestamp(EPOCH_SECONDS, UTC) + timedelta(
            seconds=self.loop.time()
        )

    def connect(self, name: str) -> Session:
        """A new session; refused while the server is down."""
        if not self.up:
            raise ConnectionRefusedError("the server is down")
        self._pids += 1
        session = Session(self, self._pids, name)
        self.sessions.append(session)
        return session

    def terminate(self, pid: int) -> bool:
        """End another session."""
        for session in [one for one in self.sessions if one.pid == pid]:
            session.end()
            return True
        return False

    def stop(self) -> None:
        """Go down: all sessions end, what was committed stays."""
        self.up = False
        for session in list(self.sessions):
            session.end()

    def rows(self, table: str) -> list[Values]:
        """All rows of a table as committed."""
        return [values for _, values in self.tables[table].scan(None)]

    def run(self, sql: str, *args: Any) -> Found:
        """Run a statement from outside of the simulation, at once; raises Blocked."""
        session = Session(self, 0, "outside")
        session._begin()
        committed = False
        try:
            found = planned(sql)(Run(session, args), None)
            committed = True
        finally:
            session._end(committed=committed)
        return found

    def count(self, sequence: str) -> int:
        """The next number of a sequence; it is not taken back."""
        self._counters[sequence] = self._counters.get(sequence, 0) + 1
        return self._counters[sequence]


def _take_back(mine: Transaction, mark: int) -> None:
    while len(mine.undo) > mark:
        table, row, writer, pending = mine.undo.pop()
        table.restore(row, writer, pending)


def _waits_for(holders: list[Any], mine: Transaction) -> bool:
    seen: set[int] = set()
    left = list(holders)
    while left:
        one = left.pop()
        if one is mine:
            return True
        if id(one) not in seen:
            seen.add(id(one))
            left.extend(one.waits_for)
    return False


def _changes(mine: Transaction) -> list[Change]:
    return [
        (table.name, row.committed, row.pending)
        for row, table in mine.held.items()
        if row.writer is mine
    ]


def _table(table: sa.Table) -> Table:
    columns = [
        Column(column.name, null=bool(column.nullable), default=_default(column))
        for column in table.columns
    ]
    key = tuple(column.name for column in table.primary_key.columns)
    unique = [key] if key else []
    unique += [
        tuple(column.name for column in index.columns)
        for index in sorted(table.indexes, key=lambda one: str(one.name))
        if index.unique and index.dialect_options["postgresql"]["where"] is None
    ]
    made = Table(table.name, columns, unique)
    for constraint in table.constraints:
        if isinstance(constraint, sa.CheckConstraint):
            made.checks.append((str(constraint.name), _check(str(constraint.sqltext))))
    return made


def _check(sql: str) -> Callable[[Values], Any]:
    node = expression(Tokens(sql, _none))
    check = compiled(node, _none)
    return lambda values: check(Scope(None, {"row": values}))


def _none(_: Any) -> Any:
    raise NotImplementedError("a query in a check")


def _default(column: Any) -> Any:
    """What the migrations have a column be that is not given."""
    given = column.server_default
    if given is None:
        is_document = type(column.type).__name__ == "JSONB" and not column.nullable
        return (lambda _: "[]") if is_document else None
    if isinstance(given, sa.Identity):
        numbers = itertools.count(1)
        return lambda _: next(numbers)
    text = str(given.arg)
    if text == "now()":
        return lambda run: run.call("now")
    value: Any = {"false": False, "true": True}.get(text, text)
    if text.isdigit():
        value = int(text)
    return lambda _: value


class Faults:
    """How often a way to a server breaks, and how long a way takes."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.lost_before = 0.0
        self.lost_after = 0.0
        self.seconds_max = 0.002

    def delay(self) -> float:
        """How long one way takes; now and then much longer than usual."""
        long = self.chance.random() < 0.02
        return self.chance.random() * self.seconds_max * (20 if long else 1)


_CONTROL = ("BEGIN", "COMMIT", "ROLLBACK")
