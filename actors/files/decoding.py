"""Decoding in processes apart: a few, started when needed, replaced when they fail."""

import asyncio
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO

import msgspec

from bus.files import (
    PICTURE_SIZES,
    picture_too_hard,
    picture_too_large,
    too_many_uploads,
    unsupported_media,
)
from bus.kit.refusals import Refusal, Unavailable
from bus.kit.settings import Settings
from bus.kit.values import Value

PROGRAM = Path(__file__).with_name("decoder.py")
PROCESSES_MAX = 2
WAITING_MAX = 256
WAIT_SECONDS_MAX = 10.0
PICTURE_SECONDS_MAX = 25.0  # on a busy machine; of a processor it gets less
CPU_SECONDS_MAX = 10
PICTURES_MAX = 200  # of one process; what leaks in a decoder goes with it
TRIES_MAX = 2  # a process may die of what is not this picture's fault
ANSWER_BYTES_MAX = 4096
OUTPUT_BYTES_MAX = 32 << 20
KILL_SECONDS_MAX = 5.0
ETAG_BYTES = 16


class Encoded(Value, frozen=True):
    """One size of a picture, in WebP."""

    data: bytes
    width: int
    height: int

    @property
    def etag(self) -> str:
        """A name of the very bytes."""
        return hashlib.blake2b(self.data, digest_size=ETAG_BYTES).hexdigest()


class Limits(Value, frozen=True, kw_only=True):
    """What one picture may take."""

    pixels_max: int
    memory_bytes_max: int
    seconds_max: float = PICTURE_SECONDS_MAX
    cpu_seconds_max: int = CPU_SECONDS_MAX


class Place(Value, frozen=True):
    """Where in the output a size lies (`at`, `bytes`), and its pixels."""

    at: int
    bytes: int
    width: int
    height: int


class Answer(Value, frozen=True):
    """What the program says: the places of all sizes, or why there are none."""

    sizes: dict[str, Place] = {}
    refused: str | None = None


class Died(Exception):
    """The process is gone; `spent` says that the kernel ended it for its CPU time."""

    def __init__(self, *, spent: bool) -> None:
        super().__init__("the decoding process ended")
        self.spent = spent


class Decoders:
    """The processes of one shard; `folder` is for files without a name."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self._folder = folder
        self._limits = limits
        self._idle: list[Decoder] = []
        self._busy: set[Decoder] = set()
        self._places = asyncio.Semaphore(min(PROCESSES_MAX, os.cpu_count() or 1))
        self._waiting = 0

    @classmethod
    def of(cls, settings: Settings, folder: Path) -> "Decoders":
        """The processes that the settings want."""
        limits = Limits(
            pixels_max=settings.upload_pixels_max,
            memory_bytes_max=settings.upload_memory_bytes_max,
        )
        return cls(folder, limits)

    @property
    def processes(self) -> list[int]:
        """The ids of those that live."""
        return [each.process.pid for each in (*self._idle, *self._busy)]

    async def render(self, source: BinaryIO) -> dict[str, Encoded]:
        """The picture in the file `source` in every size of PICTURE_SIZES.

        Refuses what is no picture (415) and what takes too much (413). A hostile one
        takes its own process with it, and nothing else.
        """
        if self._waiting >= WAITING_MAX:
            raise too_many_uploads()
        self._waiting += 1
        try:
            async with asyncio.timeout(WAIT_SECONDS_MAX):
                await self._places.acquire()
        except TimeoutError:
            raise Unavailable("too many pictures are being decoded") from None
        finally:
            self._waiting -= 1
        try:
            return await self._render(source)
        finally:
            self._places.release()

    def close(self) -> None:
        """End all processes."""
        for decoder in (*self._idle, *self._busy):
            decoder.kill()
        self._idle.clear()
        self._busy.clear()

    async def _render(self, source: BinaryIO) -> dict[str, Encoded]:
        source.flush()
        for _ in range(TRIES_MAX):
            with tempfile.TemporaryFile(dir=self._folder) as target:
                try:
                    answer = await self._ask(source.fileno(), target.fileno())
                except TimeoutError:
                    break
                except Died as died:
                    if died.spent:
                        break
                    continue
                if answer.refused is not None:
                    raise self._refusal(answer.refused)
                return _read(answer, target.fileno())
        raise picture_too_hard()

    async def _ask(self, source: int, target: int) -> Answer:
        """Ask an idle process, or a new one; one that fails is ended."""
        decoder = self._idle.pop() if self._idle else Decoder(self._limits)
        self._busy.add(decoder)
        good = False
        try:
            answer = await decoder.ask(source, target, self._limits.seconds_max)
            good = answer.refused != "hard" and decoder.pictures < PICTURES_MAX
            return answer
        finally:
            self._busy.discard(decoder)
            if good:
                self._idle.append(decoder)
            else:
                decoder.kill()

    def _refusal(self, reason: str) -> Refusal:
        if reason == "pixels":
            pixels_max = self._limits.pixels_max
            return picture_too_large(f"A picture has at most {pixels_max} pixels.")
        if reason == "hard":
            return picture_too_hard()
        if reason == "unknown":
            return unsupported_media("Pictures are JPEG, PNG, WebP or GIF.")
        return unsupported_media("The picture is broken.")


class Decoder:
    """One process; it decodes one picture at a time and ends with its socket."""

    def __init__(self, limits: Limits) -> None:
        self.pictures = 0
        self._door, theirs = socket.socketpair()
        self._door.setblocking(False)
        options = {
            "sizes": PICTURE_SIZES,
            "pixels_max": limits.pixels_max,
            "memory_bytes_max": limits.memory_bytes_max,
            "cpu_seconds_max": limits.cpu_seconds_max,
            "output_bytes_max": OUTPUT_BYTES_MAX,
        }
        number = theirs.fileno()
        arguments = ["-I", str(PROGRAM), str(number), json.dumps(options)]
        with theirs:
            self.process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, *arguments],
                env={},  # the shop's own holds its keys
                cwd="/",
                pass_fds=(number,),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    async def ask(self, source: int, target: int, seconds: float) -> Answer:
        """Have a picture decoded; after TimeoutError or Died it must be ended."""
        self.pictures += 1
        loop = asyncio.get_running_loop()
        line = b""
        try:
            socket.send_fds(self._door, [b"?"], [source, target])
            async with asyncio.timeout(seconds):
                while not line.endswith(b"\n") and len(line) < ANSWER_BYTES_MAX:
                    piece = await loop.sock_recv(self._door, ANSWER_BYTES_MAX)
                    if not piece:
                        raise Died(spent=self._end() == -signal.SIGXCPU)
                    line += piece
        except ConnectionError:
            raise Died(spent=self._end() == -signal.SIGXCPU) from None
        try:
            return msgspec.json.decode(line, type=Answer)
        except msgspec.DecodeError:  # whoever speaks there is not our program any more
            raise Died(spent=True) from None

    def kill(self) -> None:
        """End it, whatever it does."""
        self._door.close()
        self.process.kill()
        self.process.wait(KILL_SECONDS_MAX)

    def _end(self) -> int | None:
        """How a process that has closed its socket ended."""
        try:
            return self.process.wait(KILL_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            return None


def _read(answer: Answer, output: int) -> dict[str, Encoded]:
    """The sizes out of the output file; trusted no further than they can be checked."""
    made: dict[str, Encoded] = {}
    pieces: dict[Place, bytes] = {}
    for name, side in PICTURE_SIZES.items():
        place = answer.sizes.get(name)
        if place is None or not _plausible(place, side):
            raise picture_too_hard()
        if place not in pieces:
            pieces[place] = os.pread(output, place.bytes, place.at)
        data = pieces[place]
        if len(data) != place.bytes or data[:4] + data[8:12] != b"RIFFWEBP":
            raise picture_too_hard()
        made[name] = Encoded(data, place.width, place.height)
    return made


def _plausible(place: Place, side: int) -> bool:
    inside = place.at >= 0 and 0 < place.bytes <= OUTPUT_BYTES_MAX
    return inside and 0 < place.width <= side and 0 < place.height <= side
