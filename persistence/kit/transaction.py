"""The transaction of a batch: what a step reads, writes, tells and leaves due."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Self, TypeVar
from uuid import UUID

import asyncpg

from bus.kit.addressing import new_id, ordered_id
from bus.kit.audit import SYSTEM, AuditEntry
from bus.kit.context import NONE, Context
from bus.kit.messages import Event, Message
from bus.kit.values import Value
from persistence.kit import audit, claims, due
from persistence.kit.audit import Facts
from persistence.kit.claims import Claim
from persistence.kit.database import Db
from persistence.kit.due import Due
from persistence.kit.outbox import Told

Key = TypeVar("Key")
Loader = Callable[["Tx", list[Any]], Awaitable[dict[Any, Any]]]


class Meta(Value, frozen=True, kw_only=True):
    """What the kit knows of a message besides its fields.

    `id` is the command's (or event's) id, `sequence` the number that an event has
    among its entity's events.
    """

    id: UUID
    sequence: int = 0
    request_id: str | None = None
    traceparent: str | None = None
    actor: str | None = None

    @classmethod
    def within(cls, id_: UUID, context: Context, sequence: int = 0) -> Self:
        """Of a message that goes back to the request of `context`."""
        return cls(
            id=id_,
            sequence=sequence,
            request_id=context.request_id,
            traceparent=context.traceparent,
            actor=context.actor,
        )

    @property
    def context(self) -> Context:
        """Whose request it goes back to, for what is done because of it."""
        return Context(self.request_id, self.traceparent, self.actor)


class Tx(Db):
    """One fenced transaction; all of a batch's steps share it.

    Nothing that is told, kept or due counts before the commit.
    """

    def __init__(
        self,
        connection: Any,
        *,
        now: datetime,
        slots: frozenset[int],
        recall: Callable[[str, Any], Any],
    ) -> None:
        super().__init__(connection)
        self.now = now
        self.told: list[Told] = []
        self.audited: list[AuditEntry] = []
        self.dues: dict[str, Due | None] = {}
        self.kept: dict[tuple[str, Any], Any] = {}
        self.touched: set[tuple[str, Any]] = set()
        self.writes = 0
        self.metas: dict[int, Meta] = {}
        self.claims_held: dict[tuple[str, str], UUID] = {}
        self.claims_wanted: dict[int, tuple[Claim, ...]] = {}
        self._slots = slots
        self._recall = recall
        self._context = NONE

    async def fetch(self, sql: str, *values: Any) -> list[asyncpg.Record]:
        """All rows of a statement."""
        self._count(sql)
        return await super().fetch(sql, *values)

    async def fetchrow(self, sql: str, *values: Any) -> asyncpg.Record | None:
        """The first row of a statement, or None."""
        self._count(sql)
        return await super().fetchrow(sql, *values)

    async def fetchval(self, sql: str, *values: Any) -> Any:
        """The first value of a statement's first row, or None."""
        self._count(sql)
        return await super().fetchval(sql, *values)

    async def execute(self, sql: str, *values: Any) -> str:
        """Run a statement; returns its command tag, such as `UPDATE 3`."""
        self._count(sql)
        tag: str = await self._connection.execute(sql, *values)
        return tag

    def meta(self, message: Message) -> Meta:
        """The id, sequence and trace of a message that this batch runs."""
        return self.metas[id(message)]

    def tell(self, event: Event, about: Message | None = None) -> None:
        """Write an event to the outbox; `about` is the message that led to it."""
        slot = event.slot
        if slot not in self._slots:
            raise ValueError(
                f"{event.kind()} is of a slot that this batch does not hold"
            )
        meta = self.metas.get(id(about)) if about is not None else None
        trace = meta.traceparent if meta else self._context.traceparent
        self.told.append(Told(slot, event, trace))
        self.writes += 1

    def audit(
        self,
        about: Message,
        entity: object,
        before: Facts | None = None,
        after: Facts | None = None,
    ) -> None:
        """Write down that `about` has changed `entity`, and who asked for it.

        `before` and `after` hold ids, numbers and states by name, of a person's own
        data the names alone: the log outlives the person. None: there was, or is,
        nothing.
        """
        meta = self.meta(about)
        # A process that goes on after a crash knows of its request what it was told.
        actor = meta.actor or getattr(about, "actor_id", None) or SYSTEM
        who = (str(actor), meta.request_id)
        what = (about.kind(), entity)
        id_ = ordered_id(self.now, len(self.audited))
        self.audited.append(audit.entry(id_, self.now, who, what, before, after))
        self.writes += 1

    def due(self, name: str, at: datetime, message: Message) -> None:
        """Send `message` to the own shard at `at`; the same name replaces."""
        self.dues[name] = Due(
            name=name,
            id=new_id(message.key),
            slot=message.slot,
            at=at,
            message=message,
            context=self._context,
        )
        self.writes += 1

    def cancel_due(self, name: str) -> None:
        """Do not send the message of this name."""
        self.dues[name] = None
        self.writes += 1

    def claimed(self, kind: str, value: str, owner_id: UUID | None = None) -> bool:
        """Whether a claim of this batch's messages is held, by `owner_id` if given."""
        owner = self.claims_held.get((kind, value))
        return owner is not None and (owner_id is None or owner == owner_id)

    async def release_claims(self, released: Iterable[Claim]) -> None:
        """Give values back, so that others may claim them after the commit."""
        self.writes += 1
        await claims.release(self._connection, released)

    async def load(
        self, kind: str, keys: Iterable[Key], loader: Loader
    ) -> dict[Key, Any]:
        """The states of entities: from this batch, from memory, else from `loader`.

        A key that `loader` does not return has the state None.
        """
        states: dict[Key, Any] = {}
        missing: list[Key] = []
        for key in keys:
            self.touched.add((kind, key))
            if (kind, key) in self.kept:
                states[key] = self.kept[kind, key]
            elif (state := self._recall(kind, key)) is not None:
                states[key] = state
            else:
                missing.append(key)
        if missing:
            found = await loader(self, missing)
            for key in missing:
                states[key] = self.kept[kind, key] = found.get(key)
        return states

    def keep(self, kind: str, key: Any, state: Any) -> None:
        """Remember an entity's new state after the commit; None: it is gone."""
        self.touched.add((kind, key))
        self.kept[kind, key] = state
        self.writes += 1

    def speak_for(self, messages: Sequence[Message]) -> None:
        """What names no message goes back to these when there is but one."""
        meta = self.metas.get(id(messages[0])) if len(messages) == 1 else None
        self._context = meta.context if meta else NONE

    async def flush_dues(self, finished: Iterable[UUID]) -> None:
        """Write what is due, and drop what was cancelled or has been taken up."""
        done = set(finished)
        if done:
            await due.finish(self._connection, done)
        if cancelled := [name for name, row in self.dues.items() if row is None]:
            await due.cancel(self._connection, cancelled)
        if rows := [row for row in self.dues.values() if row is not None]:
            await due.write(self._connection, rows)

    def _count(self, sql: str) -> None:
        if sql.lstrip()[:6].upper() != "SELECT":
            self.writes += 1
