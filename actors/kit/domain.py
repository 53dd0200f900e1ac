"""A domain as a plain class: one method a message."""

import enum
import inspect
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, TypeVar

from bus.kit.audit import AuditPage, AuditQuery, list_audit
from bus.kit.books import (
    BooksQuery,
    ChangesQuery,
    Rows,
    WalkQuery,
    Written,
    changed_since,
    read_books,
    walk_books,
)
from bus.kit.messages import Event, Message
from bus.kit.refusals import Unavailable
from bus.kit.settings import Settings
from persistence.kit import audit, books
from persistence.kit.claims import Claim
from persistence.kit.database import Db

START_AGAIN_SECONDS = 1.0

Method = TypeVar("Method", bound=Callable[..., Any])
Claims = Callable[[Any], tuple[Claim, ...]]


class HandlerKind(enum.Enum):
    """What a handler is; its first parameter's name says it."""

    STEP = "tx"
    QUERY = "db"
    PROCESS = "run"


class Handler:
    """One method of a domain and the message that it handles."""

    def __init__(
        self,
        method: Callable[..., Any],
        message: type[Message],
        *,
        many: bool,
        claims: Claims | None,
    ) -> None:
        self.message = message
        self.method_name = method.__name__
        self.many = many
        self.claims = claims
        first = list(inspect.signature(method).parameters)[1]
        self.kind = HandlerKind(first)
        if many and self.kind is HandlerKind.PROCESS:
            raise TypeError(f"{method.__qualname__}: a process is always one message's")


def handles(
    message: type[Message], claims: Claims | None = None
) -> Callable[[Method], Method]:
    """Marks the method that handles one message at a time.

    With a `tx` it is a step, with a `db` a query, with a `run` a process.
    """
    return _mark(message, many=False, claims=claims)


def handles_many(
    message: type[Message], claims: Claims | None = None
) -> Callable[[Method], Method]:
    """Marks the step, or query, that gets a whole round and answers each in order."""
    return _mark(message, many=True, claims=claims)


def _mark(
    message: type[Message], *, many: bool, claims: Claims | None
) -> Callable[[Method], Method]:
    def mark(method: Method) -> Method:
        handler = Handler(method, message, many=many, claims=claims)
        marks = getattr(method, "handled", [])
        method.handled = [*marks, handler]  # type: ignore[attr-defined]
        return method

    return mark


class Domain:
    """What all domains are: a name, handlers, and what the kit gives them."""

    name: ClassVar[str]
    handlers: ClassVar[dict[type[Message], Handler]] = {}
    shown: ClassVar[books.Books] = books.Books()
    """What it shows of its tables to who compares domains."""

    settings: Settings
    log: Any
    clock: Any
    shard: int
    ask: Callable[..., Awaitable[Any]]
    send: Callable[..., Awaitable[Any]]
    read: Callable[[], AbstractAsyncContextManager[Db]]

    def __init_subclass__(cls) -> None:
        members = (
            value for part in reversed(cls.__mro__) for value in vars(part).values()
        )
        marks = (mark for value in members for mark in getattr(value, "handled", ()))
        cls.handlers = {handler.message: handler for handler in marks}
        if hasattr(cls, "name"):
            for of, method in _OF_ALL.items():
                query = of(cls.name)
                cls.handlers[query] = Handler(method, query, many=False, claims=None)

    @classmethod
    def warm(cls) -> None:
        """Load what takes long and no shard is needed for; a standby does it early."""

    async def begin(self) -> None:
        """Start, again for as long as its database does not answer.

        A process whose start had failed would live on, and take no message.
        """
        while True:
            try:
                await self.start()
            except Unavailable as error:
                self.log.warning("start-waits", error=repr(error))
                await self.clock.sleep(START_AGAIN_SECONDS)
            else:
                return

    async def start(self) -> None:
        """Called before the first message; opens what the domain needs.

        What it reads it reads first: it is called again when that raises Unavailable.
        """

    async def stop(self) -> None:
        """Called once when the shard leaves."""

    async def list_audit(self, db: Db, query: AuditQuery) -> AuditPage:
        """The domain's audit log, newest first."""
        return AuditPage(items=await audit.read(db, query))

    async def changed_since(self, db: Db, query: ChangesQuery) -> Written:
        """What was written since, by whomever, and what is wrong in this database."""
        return await books.changed_since(db, books.with_kit(self.shown), query)

    async def read_books(self, db: Db, query: BooksQuery) -> Rows:
        """Rows by their keys, all of one moment; ids and facts only."""
        return await books.read_books(db, books.with_kit(self.shown), query)

    async def walk_books(self, db: Db, query: WalkQuery) -> tuple[tuple[str, str], ...]:
        """The next rows of a table, in the order of its key."""
        return await books.walk_books(db, self.shown, query)

    @classmethod
    def consumes(cls) -> list[type[Event]]:
        """The events of other domains that this one handles."""
        return [message for message in cls.handlers if issubclass(message, Event)]


_OF_ALL: dict[Callable[[str], type[Message]], Callable[..., Any]] = {
    list_audit: Domain.list_audit,
    changed_since: Domain.changed_since,
    read_books: Domain.read_books,
    walk_books: Domain.walk_books,
}
"""What every domain answers of its own database, by the query's maker."""
