"""The walk: all rows of the tables that are walked, page by page, now and then."""

from collections import deque
from collections.abc import Callable

from actors.auditing.reading import Ask, asked
from bus.kit.books import walk_books

PAGE_MAX = 300
AGAIN_SECONDS = 3600.0
"""What is written is heard of at once; the walk finds what was not."""

TABLES = (
    ("orders", "orders"),
    ("payments", "payments"),
    ("inventory", "holds"),
    ("inventory", "stock"),
    ("orders", "product_replica"),
    ("products", "sku_stock"),
    ("products", "products"),
)
"""By domain, in the order of the walk; each leads to all that belongs to its rows."""


class Walk:
    """Where the walk is; `ended_at` says when the last one was through."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._left: deque[tuple[str, str]] = deque()
        self._after: str | None = None
        self.begun_at = now()
        self.ended_at: float | None = None

    @property
    def age_seconds(self) -> float:
        """How long ago the last whole walk ended, or the first one began."""
        at = self.ended_at if self.ended_at is not None else self.begun_at
        return self._now() - at

    def begin(self, domain: str, table: str) -> None:
        """Walk a table, of which not all that was written could be told."""
        one = (domain, table)
        if one not in TABLES:
            self._left.extend(each for each in TABLES if each not in self._left)
        elif one not in self._left:
            self._left.append(one)

    async def page(self, ask: Ask) -> dict[str, list[str]]:
        """The keys of the next page, by table; raises Away."""
        if not self._left:
            due = self.ended_at is None or self.age_seconds >= AGAIN_SECONDS
            if not due:
                return {}
            self.begun_at = self._now()
            self._left.extend(TABLES)
        domain, table = self._left[0]
        rows = await asked(
            ask,
            domain,
            walk_books(domain)(table=table, after=self._after, limit=PAGE_MAX),
        )
        self._after = rows[-1][0] if rows else None
        if not rows:
            self._left.popleft()
            if not self._left:
                self.ended_at = self._now()
        return {table: list(dict.fromkeys(key for _, key in rows))}
