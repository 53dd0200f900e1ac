"""Keys that wait for their look: each once, the oldest first, bounded."""

from collections import OrderedDict
from collections.abc import Iterable

KEYS_MAX = 50_000


class Waiting:
    """The keys of one unit; `lost` counts those that found no place."""

    def __init__(self) -> None:
        self._since: OrderedDict[str, float] = OrderedDict()
        self.lost = 0

    def __len__(self) -> int:
        return len(self._since)

    def add(self, keys: Iterable[str], now: float) -> None:
        """Let keys wait from now on; one that waits keeps its place."""
        for key in keys:
            if key not in self._since and len(self._since) >= KEYS_MAX:
                self.lost += 1
                continue
            self._since.setdefault(key, now)

    def take(self, count: int, before: float) -> list[str]:
        """The oldest keys that came before a time."""
        taken: list[str] = []
        while self._since and len(taken) < count:
            key, since = next(iter(self._since.items()))
            if since > before:
                break
            del self._since[key]
            taken.append(key)
        return taken
