"""How a fault is planted: by plain SQL, or into the stream past the shop."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec

LONG_AGO = datetime.now(UTC) - timedelta(hours=1)


@dataclass(frozen=True)
class Event:
    """An event that is put into the stream, past the shop."""

    domain: str
    name: str
    entity: str
    sequence: int = 1
    id: str = field(default_factory=lambda: str(uuid4()))
    data: dict[str, Any] = field(default_factory=dict)
    stream: str = "EVENTS"
    time: datetime = LONG_AGO

    @property
    def subject(self) -> str:
        """Where it is published."""
        if self.stream == "DEAD":
            return f"dead.{self.domain}.{self.entity}"
        return f"events.{self.domain}.{self.name}"

    def document(self) -> dict[str, Any]:
        """It as a CloudEvents document."""
        return {
            "specversion": "1.0",
            "id": self.id,
            "source": f"/{self.domain}",
            "type": f"{self.domain}.{self.name}.v1",
            "subject": self.entity,
            "time": self.time.isoformat(),
            "sequence": str(self.sequence),
            "data": self.data,
        }

    def told(self, slot: int, n: str | int) -> tuple[str, str]:
        """The statement that puts it into its outbox, as number `n` of the slot."""
        return self.domain, (
            f"INSERT INTO outbox SELECT {slot}, {n}, current_date, '{self.id}', "
            f"'{self.subject}', '{json.dumps(self.document())}'"
        )

    def counted(self) -> tuple[str, str]:
        """The statement that counts it as its entity's last one."""
        return self.domain, (
            f"INSERT INTO sequences VALUES ('{self.entity}', {self.sequence}) "
            "ON CONFLICT (subject) DO UPDATE SET sequence = excluded.sequence"
        )


@dataclass(frozen=True)
class Plant:
    """A fault, and the check that must say so."""

    check: str
    sql: tuple[tuple[str, str], ...] = ()
    events: tuple[Event, ...] = ()
    why: str = ""

    @property
    def name(self) -> str:
        """The check, and what was done."""
        return f"{self.check}:{self.why}" if self.why else self.check


def one(check: str, database: str, *statements: str, why: str = "") -> Plant:
    """A fault in one database."""
    return Plant(check, tuple((database, sql) for sql in statements), why=why)


def last_n(slot: int) -> str:
    """The number after the last one of a slot."""
    return f"(SELECT coalesce(max(n), 0) + 1 FROM outbox WHERE slot = {slot})"


def packed(value: Any) -> str:
    """Msgpack as an SQL literal."""
    return "'\\x" + msgspec.msgpack.encode(value).hex() + "'::bytea"


def aged_id() -> UUID:
    """A UUIDv7 of an hour ago."""
    milliseconds = int(LONG_AGO.timestamp() * 1000)
    value = (milliseconds << 80) | (uuid4().int & ((1 << 76) - 1))
    return UUID(int=value & ~(0xF << 76) | (0x7 << 76))
