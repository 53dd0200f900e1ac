"""Cursors: where in an order a page ended, opaque to its reader."""

import math
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from hashlib import blake2b
from uuid import UUID

import msgspec

from bus.products import invalid_cursor

Value = str | int | float

INTEGER_MAX = 2**63 - 1
CHECK_BYTES = 6


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """The last row of a page: the order it stood in, its value there, and its id.

    `forgiven` are the bits of the words that the list took as mistyped.
    """

    order: str
    value: Value
    id: UUID
    forgiven: int = 0


def write_cursor(cursor: Cursor, scope: bytes = b"") -> str:
    """The cursor as text for an address; good only for a list of the same `scope`."""
    packed = msgspec.msgpack.encode(cursor)
    return _text(_check(packed, scope) + packed)


def read_cursor(text: str, order: str, kind: type, scope: bytes = b"") -> Cursor:
    """The cursor that `text` is; refused when it is none of this order and scope."""
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        check, packed = raw[:CHECK_BYTES], raw[CHECK_BYTES:]
        cursor = msgspec.msgpack.decode(packed, type=Cursor)
    except ValueError as error:  # bad base64, bad text and msgspec's errors are such
        raise invalid_cursor() from error
    good = check == _check(packed, scope) and text == _text(raw)
    good = good and cursor.order == order
    if not good or type(cursor.value) is not kind or not _fits(cursor):
        raise invalid_cursor()
    return cursor


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _check(packed: bytes, scope: bytes) -> bytes:
    """A check sum: against mistakes, for who forges one sees only what all may see."""
    return blake2b(
        packed, key=blake2b(scope).digest(), digest_size=CHECK_BYTES
    ).digest()


def _fits(cursor: Cursor) -> bool:
    """Whether the database can take its value: a forged one may be too large."""
    value = cursor.value
    if isinstance(value, str):
        try:
            return msgspec.convert(value, datetime).tzinfo is not None
        except msgspec.ValidationError:
            return False
    if isinstance(value, float):
        return math.isfinite(value)
    return abs(value) <= INTEGER_MAX and 0 <= cursor.forgiven <= INTEGER_MAX
