"""Connections that are held open: idle ones, and streams whose events are noted."""

import asyncio
import re
import time

ASK_AGAIN_SECONDS = 45.0
"""HAProxy closes a connection that has asked nothing for 90 s."""

_ID = re.compile(rb"(?:^|\n)id: (\d+)\n")
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


class Held(asyncio.Protocol):
    """One connection; `status` is its last answer's, `closed` says it was ended."""

    def __init__(self, request: bytes) -> None:
        self.status = 0
        self.closed = False
        self.retry_after = False
        self.answered: asyncio.Future[float] = (
            asyncio.get_running_loop().create_future()
        )
        self.transport: asyncio.Transport | None = None
        self._request = request
        self._asked_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        self.transport = transport  # type: ignore[assignment]
        self.ask()

    def ask(self) -> None:
        """Ask once more, or for the first time."""
        self._asked_at = time.perf_counter()
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """The head of an answer comes in one piece, or this one is not counted."""
        if found := _STATUS.match(data):
            self.status = int(found[1])
            self.retry_after = b"\r\nretry-after:" in data.lower()
            self._settle()

    def connection_lost(self, exc: Exception | None) -> None:
        """It was ended, by whomever."""
        del exc
        self.closed = True
        self._settle()

    def close(self) -> None:
        """End it."""
        if self.transport is not None:
            self.transport.abort()

    def _settle(self) -> None:
        if not self.answered.done():
            self.answered.set_result((time.perf_counter() - self._asked_at) * 1000)


class Followed(Held):
    """A stream; `ids` are those of its events, in the order in which they came."""

    def __init__(self, request: bytes) -> None:
        super().__init__(request)
        self.ids: list[int] = []
        self._chunks: Chunks | None = None
        self._head = b""
        self._left = b""

    def data_received(self, data: bytes) -> None:
        """A head, then chunks that hold events."""
        if self._chunks is None:
            self._head += data
            head, end, data = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            super().data_received(head + end)
            self._chunks, self._head = Chunks(), b""
        if self.status != 200:
            return
        *events, self._left = (self._left + self._chunks.take(data)).split(b"\n\n")
        for event in events:
            if found := _ID.search(event + b"\n"):
                self.ids.append(int(found[1]))


class Chunks:
    """What a body in chunks holds, as it comes (RFC 9112 §7.1)."""

    def __init__(self) -> None:
        self._wanted = 0
        self._line = b""

    def take(self, data: bytes) -> bytes:
        """The content of this piece."""
        found = b""
        while data:
            if not self._wanted:
                line, end, data = (self._line + data).partition(b"\r\n")
                self._line = b"" if end else line
                if end and line:  # an empty one ends the chunk before
                    self._wanted = int(line.partition(b";")[0], 16)
                continue
            found += data[: self._wanted]
            taken = min(self._wanted, len(data))
            self._wanted -= taken
            data = data[taken:]
        return found


def request(path: str, headers: dict[str, str]) -> bytes:
    """A GET that leaves its connection open."""
    lines = [f"GET {path} HTTP/1.1", "Host: bench"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()
