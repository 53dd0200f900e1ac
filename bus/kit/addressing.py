"""How a key finds its shard: key → 16-bit hash → one of 64 slots → owner."""

import hashlib
import os
import threading
import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from uuid import UUID, SafeUUID

SLOTS = 64
RANDOM_BYTES = 10
RANDOM_IDS_MAX = 256
NUMBER_MAX = (1 << 14) - 1
HASHES_MAX = 4_096
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def route_hash(key: str | UUID) -> int:
    """The 16-bit hash of a routing key.

    An id made here carries its key's hash in its last two bytes, so for a UUID it is
    read off, and everything that belongs to one buyer meets in one slot. Any other
    text (a SKU, a guest cart's id) is hashed.
    """
    if isinstance(key, UUID):
        return key.int & 0xFFFF
    if len(key) == 36 and key[8] == key[13] == key[18] == key[23] == "-":
        try:
            return int(key[32:], 16)
        except ValueError:
            pass  # looks like a UUID and is not one: hashed like any other text
    return _hash(key)


@lru_cache(maxsize=HASHES_MAX)
def _hash(text: str) -> int:
    """Of text; remembered, for a message is asked for its slot again and again."""
    digest = hashlib.blake2b(text.encode(), digest_size=2).digest()
    return int.from_bytes(digest, "big")


def slot_of(key: str | UUID) -> int:
    """The slot, 0…63, that a routing key falls into."""
    return route_hash(key) % SLOTS


def new_id(key: str | UUID | None = None) -> UUID:
    """A new UUIDv7 (RFC 9562) that carries the hash of `key`.

    Without a key the id is its own: its random last two bytes are its hash.
    """
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | (_random() & _FREE) | _VERSION_7
    if key is not None:
        value = value & ~0xFFFF | route_hash(key)
    return _uuid(value)


def ordered_id(at: datetime, number: int) -> UUID:
    """A UUIDv7 of a row that is the `number`-th (from 0) of its transaction at `at`.

    Its ids sort as they were made: the bits after the milliseconds are their fraction,
    then the number (RFC 9562, 6.2, methods 3 and 1).
    """
    since = at - EPOCH
    microseconds = since // timedelta(microseconds=1)
    milliseconds, rest = divmod(microseconds, 1_000)
    value = (milliseconds << 80) | (0x7 << 76) | ((rest * 4_096 // 1_000) << 64)
    value |= (0x2 << 62) | (min(number, NUMBER_MAX) << 48)
    return UUID(int=value | int.from_bytes(os.urandom(6), "big"))


def derived_id(source: UUID, purpose: str, key: str | UUID | None = None) -> UUID:
    """The one id that `source` has for `purpose`: the same each time it is asked.

    It keeps the time of `source` when that is a UUIDv7, so derived ids sort by time.
    """
    digest = hashlib.blake2b(
        purpose.encode(), key=source.bytes, digest_size=10
    ).digest()
    time_bits = (source.int >> 80) if source.version == 7 else 0
    value = (time_bits << 80) | (int.from_bytes(digest, "big") & _FREE) | _VERSION_7
    return _uuid(value & ~0xFFFF | route_hash(source if key is None else key))


def forget_read_ahead() -> None:
    """Read random bytes anew: a child process must not make its parent's ids."""
    _ahead.bytes = b""


# --- private -----------------------------------------------------------------

_VERSION_7 = (0x7 << 76) | (0x2 << 62)
_FREE = ((1 << 80) - 1) & ~((0xF << 76) | (0x3 << 62))


class _Ahead(threading.local):
    """A thread's random bytes, read ahead: a call to the system for each id costs."""

    bytes = b""
    at = 0


_ahead = _Ahead()


def _random() -> int:
    """80 random bits."""
    at = _ahead.at
    if at >= len(_ahead.bytes):
        _ahead.bytes, at = os.urandom(RANDOM_BYTES * RANDOM_IDS_MAX), 0
    _ahead.at = at + RANDOM_BYTES
    return int.from_bytes(_ahead.bytes[at : at + RANDOM_BYTES], "big")


os.register_at_fork(after_in_child=forget_read_ahead)


def _uuid(value: int) -> UUID:
    """`UUID(int=value)` of a value that needs no check, in a third of its time."""
    made = object.__new__(UUID)
    _set_int(made, value)
    _set_safe(made, SafeUUID.unknown)
    return made


_set_int = UUID.int.__set__  # type: ignore[attr-defined,misc]
_set_safe = UUID.is_safe.__set__  # type: ignore[attr-defined,misc]
