"""An order that is followed: a timeline by hand behind the real streams."""

from typing import Any
from uuid import UUID

from bus.kit.refusals import not_found
from bus.kit.values import Page
from bus.orders import GetTimelineAfter, OrderStatus, TimelineEntry
from serve_app.kit.following import Pace
from serve_app.kit.streams import Streams
from tests.gateway.fakes import Front
from tests.gateway.readers import Reader

ORDER = UUID("0192f0c1-0000-7000-8000-000000000077")
PATH = f"/orders/{ORDER}/stream"
QUICK = Pace(comment_seconds=60, away_seconds=60, pause_seconds=0, watch_seconds=0.01)
TOKEN = {"X-Order-Token": "t" * 43}


class Timeline:
    """An order's timeline that grows when told, as the database's does."""

    def __init__(self) -> None:
        self.entries: list[TimelineEntry] = []
        self.hidden = 0
        self.secret: set[int] = set()
        self.looks = 0
        self.failing: list[Exception] = []

    def grow(self, count: int = 1) -> None:
        """So many more changes; their versions have holes, as an order's have."""
        for _ in range(count):
            version = 2 * len(self.entries) + 1
            entry = TimelineEntry(
                status=OrderStatus.CONFIRMED,
                actor_id=None,
                reason=f"change {version}",
                at="2026-01-01T00:00:00Z",  # type: ignore[arg-type]
                version=version,
            )
            self.entries.append(entry)

    @property
    def versions(self) -> list[int]:
        """All versions that there are."""
        return [entry.version for entry in self.entries]

    def answer(self, query: GetTimelineAfter) -> Any:
        """What a shard answers; the last `hidden` ones are not committed yet."""
        self.looks += 1
        if self.failing:
            return self.failing.pop(0)
        if query.order_id != ORDER:
            return not_found("order")
        seen = self.entries[: len(self.entries) - self.hidden]
        later = [entry for entry in seen if entry.version > query.after][: query.limit]
        more = len(later) == query.limit
        shown = tuple(entry for entry in later if entry.version not in self.secret)
        return Page(shown, str(later[-1].version) if more else None)


class Heard:
    """An ear that hears when told, and notes what it is to hear."""

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self.works = True

    def connected(self) -> bool:
        return self.works

    async def listen(self, kind: str) -> None:
        self.kinds.append(kind)

    async def silence(self, kind: str) -> None:
        self.kinds.remove(kind)


def streams(shop: Front) -> Streams:
    """All streams of the gateway."""
    return shop.gateway.streams


def hint(shop: Front) -> None:
    """What an event of the order does."""
    streams(shop).wake("order", ORDER)


def follow(shop: Front, after: int | None = None, **headers: str) -> Reader:
    """A guest who follows the order, and has what came before."""
    if after is not None:
        headers["Last-Event-ID"] = str(after)
    return Reader(shop.edge, PATH, TOKEN | headers)


def ends(shop: Front) -> dict[str, int]:
    """How many streams have ended, by why."""
    return dict(shop.gateway.measures.streams_ended)
