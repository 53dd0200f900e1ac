"""Cursors: where in an order a page ended, opaque to its reader."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from uuid import UUID

import msgspec

from bus.products import invalid_cursor

Value = str | int | float


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """The last row of a page: the order it stood in, its value there, and its id."""

    order: str
    value: Value
    id: UUID


def write_cursor(cursor: Cursor) -> str:
    """The cursor as text for an address."""
    return urlsafe_b64encode(msgspec.msgpack.encode(cursor)).decode().rstrip("=")


def read_cursor(text: str, order: str, kind: type) -> Cursor:
    """The cursor that `text` is; refused when it is none of this order."""
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        cursor = msgspec.msgpack.decode(raw, type=Cursor)
    except ValueError as error:  # bad base64, bad text and msgspec's errors are such
        raise invalid_cursor() from error
    if cursor.order != order or type(cursor.value) is not kind:
        raise invalid_cursor()
    return cursor
