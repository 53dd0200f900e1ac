"""How a key finds its shard: key → 16-bit hash → one of 64 slots → owner."""

import hashlib
import os
import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from uuid import UUID

SLOTS = 64
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
    value = (milliseconds << 80) | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | (0x7 << 76)
    value = value & ~(0x3 << 62) | (0x2 << 62)
    if key is not None:
        value = value & ~0xFFFF | route_hash(key)
    return UUID(int=value)


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
    value = (time_bits << 80) | int.from_bytes(digest, "big")
    value = value & ~(0xF << 76) | (0x7 << 76)
    value = value & ~(0x3 << 62) | (0x2 << 62)
    return UUID(int=value & ~0xFFFF | route_hash(source if key is None else key))
