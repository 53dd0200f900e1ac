"""Uploads under way: their pieces, gathered in unnamed files of this machine."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from bus.files import (
    CHUNK_BYTES_MAX,
    file_too_large,
    too_many_uploads,
    upload_lost,
)

UPLOADS_MAX = 64
IDLE_SECONDS_MAX = 60.0


class Upload:
    """The pieces of one upload; the file goes with the process, whatever ends it."""

    def __init__(self, folder: Path, now: float) -> None:
        self.file: BinaryIO = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self.size_bytes = 0
        self.touched = now


class Uploads:
    """All uploads under way in one shard, bounded in number, size and idleness."""

    def __init__(self, folder: Path, bytes_max: int, now: Callable[[], float]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._bytes_max = bytes_max
        self._now = now
        self._open: dict[UUID, Upload] = {}

    def append(self, file_id: UUID, offset: int, data: bytes) -> None:
        """Add a piece; one that is there already is skipped.

        Refuses a piece that does not follow the last one, or exceeds a limit.
        """
        self._sweep()
        upload = self._open.get(file_id)
        if upload is None:
            if offset != 0:
                raise upload_lost()
            if len(self._open) >= UPLOADS_MAX:
                raise too_many_uploads()
            upload = self._open[file_id] = Upload(self.folder, self._now())
        if len(data) > CHUNK_BYTES_MAX or offset + len(data) > self._bytes_max:
            self.drop(file_id)
            raise file_too_large(self._bytes_max)
        if offset > upload.size_bytes:
            raise upload_lost()
        if offset + len(data) > upload.size_bytes:
            upload.file.seek(offset)
            upload.file.write(data)
            upload.size_bytes = offset + len(data)
        upload.touched = self._now()

    def take(self, file_id: UUID) -> BinaryIO:
        """The whole upload from its first byte; it is the caller's to close."""
        upload = self._open.pop(file_id, None)
        if upload is None:
            raise upload_lost()
        upload.file.seek(0)
        return upload.file

    def drop(self, file_id: UUID) -> None:
        """Forget an upload."""
        if upload := self._open.pop(file_id, None):
            upload.file.close()

    def close(self) -> None:
        """Forget all of them."""
        for file_id in list(self._open):
            self.drop(file_id)

    def _sweep(self) -> None:
        last = self._now() - IDLE_SECONDS_MAX
        for file_id in [key for key, each in self._open.items() if each.touched < last]:
            self.drop(file_id)
