"""Finished answers of public reads, kept near as bytes for a few seconds."""

import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable

import msgspec

FILL_SECONDS_MAX = 30
FORGOTTEN_MAX = 50_000
KEY_BYTES_MAX = 1_024
ENTRY_OVERHEAD_BYTES = 512

Headers = list[tuple[bytes, bytes]]


class Entry(msgspec.Struct, frozen=True):
    """One answer as it goes out; `expires_at` is of the cache's clock."""

    headers: Headers
    body: bytes
    etag: str
    expires_at: float
    tags: tuple[str, ...]


class NearCache:
    """Least recently used answers, bounded in bytes and in age.

    An answer whose making began before the last event about one of its tags may show
    what was true before that event, so it is not kept.
    """

    def __init__(
        self,
        *,
        bytes_max: int,
        age_seconds_max: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bytes_max = bytes_max
        self._age_seconds_max = age_seconds_max
        self._clock = clock
        self._entries: OrderedDict[bytes, Entry] = OrderedDict()
        self._by_tag: defaultdict[str, set[bytes]] = defaultdict(set)
        self._forgotten: OrderedDict[str, float] = OrderedDict()
        # Answers begun before this moment are not kept, whatever their tags.
        self._floor = float("-inf")
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def now(self) -> float:
        """The cache's time: when the making of an answer begins."""
        return self._clock()

    def get(self, key: bytes) -> Entry | None:
        """The answer kept for `key`, if it is young enough."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.expires_at <= self._clock():
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return entry

    def put(
        self,
        key: bytes,
        headers: Headers,
        body: bytes,
        etag: str,
        *,
        age_seconds: float,
        tags: tuple[str, ...],
        began_at: float,
    ) -> bool:
        """Keep an answer that was begun at `began_at`; False if that cannot be."""
        now = self._clock()
        size = _size(key, body)
        too_old = began_at <= self._floor or now - began_at > FILL_SECONDS_MAX
        if too_old or len(key) > KEY_BYTES_MAX or size > self._bytes_max // 8:
            return False
        if any(self._forgotten.get(tag, float("-inf")) >= began_at for tag in tags):
            return False
        age = min(age_seconds, self._age_seconds_max)
        self._drop(key)
        self._entries[key] = Entry(headers, body, etag, began_at + age, tags)
        self.bytes += size
        for tag in tags:
            self._by_tag[tag].add(key)
        while self.bytes > self._bytes_max:
            self._drop(next(iter(self._entries)))
        return True

    def forget(self, tags: Iterable[str]) -> None:
        """Something that `tags` name has changed."""
        now = self._clock()
        for tag in tags:
            for key in list(self._by_tag.get(tag, ())):
                self._drop(key)
            self._forgotten[tag] = now
            self._forgotten.move_to_end(tag)
        while self._forgotten:
            tag, at = next(iter(self._forgotten.items()))
            crowded = len(self._forgotten) > FORGOTTEN_MAX
            if not crowded and now - at <= FILL_SECONDS_MAX:
                break
            self._floor = max(self._floor, at)
            del self._forgotten[tag]

    def clear(self) -> None:
        """Nothing kept can be trusted: events may have been missed."""
        self._entries.clear()
        self._by_tag.clear()
        self._forgotten.clear()
        self._floor = self._clock()
        self.bytes = 0

    def _drop(self, key: bytes) -> None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        self.bytes -= _size(key, entry.body)
        for tag in entry.tags:
            self._by_tag[tag].discard(key)
            if not self._by_tag[tag]:
                del self._by_tag[tag]


def _size(key: bytes, body: bytes) -> int:
    return len(key) + len(body) + ENTRY_OVERHEAD_BYTES
