"""Documents: PDF files that are kept as they are, and given out to be saved."""

import hashlib
import re
from typing import BinaryIO

from bus.files import unsupported_media
from bus.kit.values import Value

HEAD_BYTES = 8
TAIL_BYTES = 1024
READ_BYTES = 1 << 20
ETAG_BYTES = 16
_HEAD = re.compile(rb"%PDF-[12]\.\d")


class Document(Value, frozen=True):
    """A document's size and the name of its very bytes."""

    size_bytes: int
    etag: str


def is_document(source: BinaryIO) -> bool:
    """Whether the file begins as a PDF does, at its very first byte (ISO 32000-2 §7.5).

    Viewers take the mark anywhere in the first kilobyte; so do those who hide one kind
    of file in another, so here it must come first.
    """
    source.seek(0)
    return _HEAD.match(source.read(HEAD_BYTES)) is not None


def read_document(source: BinaryIO) -> Document:
    """Measure a document; refuses one that has no end (415)."""
    size_bytes = source.seek(0, 2)
    source.seek(max(0, size_bytes - TAIL_BYTES))
    if b"%%EOF" not in source.read(TAIL_BYTES):
        raise unsupported_media("The document is cut off.")
    source.seek(0)
    digest = hashlib.blake2b(digest_size=ETAG_BYTES)
    while piece := source.read(READ_BYTES):
        digest.update(piece)
    source.seek(0)
    return Document(size_bytes, digest.hexdigest())
