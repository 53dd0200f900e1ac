"""What must hold of a shop: some of it at every commit, the rest when it is at rest."""

from collections import Counter, defaultdict
from typing import Any
from uuid import UUID

import msgspec

from bus.kit.addressing import slot_of
from tests.simulation.bus import Stored
from tests.simulation.store.server import Change, Server, Session
from tests.simulation.world import World

SLOT_OF_KEY = {"totals": "key", "effects": "key"}


class Watch:
    """Looks at every commit and every message that the stream takes."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.writers: dict[tuple[str, int, int], str] = {}
        self.last_n: dict[tuple[str, int], int] = defaultdict(int)
        self.facts: dict[str, tuple[str, int, int]] = {}
        self.in_stream: dict[tuple[str, int], int] = defaultdict(int)
        self._streams_seen = 0
        for server in world.servers.values():
            self._watch(server)
        world.broker.stored = self.stored

    def _watch(self, server: Server) -> None:
        server.committing = lambda session, changes: self.committing(
            server, session, changes
        )

    def committing(
        self, server: Server, session: Session, changes: list[Change]
    ) -> None:
        """A transaction is about to count."""
        kinds = Counter(table for table, _, _ in changes)
        self.world.note(f"commit {session.name} {dict(kinds)}")
        epochs = {row["slot"]: row for row in server.rows("slots")}
        for table, before, after in changes:
            row = after or before or {}
            if table == "slots" and before and after:
                if after["epoch"] != before["epoch"]:
                    place = (server.name, row["slot"], after["epoch"])
                    self._one_writer(place, session)
                continue
            slot = _slot(table, row)
            if slot is None or session.name == "outside":
                continue
            owner = epochs[slot]
            if session.name.split(":")[1] != f"{server.name}/{owner['shard']}":
                self.world.violate(f"{session.name} writes slot {slot} of {owner}")
            self._one_writer((server.name, slot, owner["epoch"]), session)
            if table == "outbox" and after and not before:
                self._told(server, after)

    def _one_writer(self, place: tuple[str, int, int], session: Session) -> None:
        if session.name == "outside":
            return
        first = self.writers.setdefault(place, session.name)
        if first != session.name:
            self.world.violate(f"{place} is written by {first} and {session.name}")

    def _told(self, server: Server, row: dict[str, Any]) -> None:
        place = (server.name, row["slot"])
        if row["n"] != self.last_n[place] + 1:
            self.world.violate(f"{place} tells {row['n']} after {self.last_n[place]}")
        self.last_n[place] = row["n"]
        self.facts[str(row["id"])] = (*place, row["n"])

    def stored(self, message: Stored) -> None:
        """The stream has taken a message."""
        if self.world.broker.lost_streams != self._streams_seen:
            self._streams_seen = self.world.broker.lost_streams
            self.in_stream.clear()
        identity = message.headers["Nats-Msg-Id"]
        if identity not in self.facts:
            self.world.violate(f"{identity} is published and was never committed")
            return
        name, slot, n = self.facts[identity]
        self.world.note(f"stream {message.sequence} {name} {slot} {n}")
        last = self.in_stream[name, slot]
        if n > last + 1 and not self._streams_seen:
            self.world.violate(f"{name} {slot}: {n} is published after {last}")
        self.in_stream[name, slot] = max(last, n)

    # --- at rest -------------------------------------------------------------

    def published(self) -> bool:
        """Whether all that was told is in the stream."""
        stream = self.world.broker.streams.get("EVENTS")
        there = {m.headers["Nats-Msg-Id"] for m in stream.messages} if stream else set()
        return set(self.facts) <= there

    def at_rest(self) -> bool:
        """Whether no process is left, and nothing is due."""
        return all(
            not server.rows("due")
            and all(row["state"] == 2 for row in server.rows("handled"))
            for server in self.world.servers.values()
        )

    def check_facts(self) -> None:
        """What was told has no gap, by slot and by entity."""
        for server in self.world.servers.values():
            by_slot: dict[int, list[int]] = defaultdict(list)
            by_entity: dict[str, list[int]] = defaultdict(list)
            for row in server.rows("outbox"):
                by_slot[row["slot"]].append(row["n"])
                event = msgspec.json.decode(row["payload"])
                by_entity[event["subject"]].append(int(event["sequence"]))
            for name, numbers in [*by_slot.items(), *by_entity.items()]:
                if sorted(numbers) != list(range(1, len(numbers) + 1)):
                    self.world.violate(f"{server.name} {name}: told {sorted(numbers)}")


def _slot(table: str, row: dict[str, Any]) -> int | None:
    if "slot" in row:
        return int(row["slot"])
    if table in SLOT_OF_KEY:
        key = row[SLOT_OF_KEY[table]]
        return slot_of(UUID(key) if table == "owner" else key)
    return None
