"""Queues of messaging, filled past their bounds while nobody takes from them."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
import structlog

from actors.messaging import outgoing, sink, smtp
from actors.messaging.outgoing import LINES, Line, Outgoing
from actors.messaging.sink import Sink
from actors.messaging.smtp import SmtpConnection
from bus.kit.addressing import new_id
from tests.messaging.servers import greet, scripted
from tests.messaging.test_smtp import letter
from tests.messaging.test_smtp import sent as sent_by


class Connection:
    """A way out that is never used up."""

    def close(self) -> None:
        """It is over."""


async def test_past_its_queue_mail_waits_in_its_rows_and_each_goes_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outgoing, "QUEUE_MAX", 5)
    monkeypatch.setattr(outgoing, "REST_SECONDS", 0.01)
    rows = [new_id() for _ in range(40)]
    sent: list[UUID] = []
    gate = asyncio.Event()

    async def deliver(_: Any, ids: Sequence[UUID]) -> None:
        await gate.wait()
        sent.extend(ids)

    async def refill(line: Line, limit: int) -> list[UUID]:
        left = [each for each in rows if each not in sent]
        return left[:limit] if line == LINES[0] else []

    out = Outgoing(deliver, refill, structlog.get_logger("messaging"))
    out.start(lambda _: Connection())
    try:
        out.add(LINES[0], rows)
        await asyncio.sleep(0.1)
        queue = out._queues[LINES[0]]
        assert len(queue._known) == 5
        assert sent == []
        gate.set()
        async with asyncio.timeout(5):
            while len(sent) < len(rows):  # noqa: ASYNC110 - what is waited for sends
                await asyncio.sleep(0.01)
        assert sorted(sent) == sorted(rows)
    finally:
        await out.stop()


def test_past_its_room_the_mailbox_takes_no_more_until_some_is_written_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sink, "CAUGHT_MAX", 3)
    kept = Sink()
    taken = [kept.catch("email", "a@example.com", b"x") for _ in range(5)]
    assert taken == [True, True, True, False, False]
    kept.drop(kept.waiting(2))
    assert [kept.catch("sms", "+491", b"y") for _ in range(3)] == [True, True, False]
    assert len(kept.waiting(10)) == 3


async def test_no_more_letters_than_a_window_are_on_their_way_to_a_slow_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(smtp, "WINDOW_MAX", 2)
    unanswered: list[int] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await greet(reader, writer)
        while not reader.at_eof():
            commands = letters = 0
            while True:  # until it sends no more without an answer
                try:
                    async with asyncio.timeout(0.05):
                        line = await reader.readline()
                except TimeoutError:
                    break
                if not line:
                    return
                commands += 1
                if line.startswith(b"BDAT"):
                    await reader.readexactly(int(line.split()[1]))
                    letters += 1
            unanswered.append(letters)
            writer.write(b"250 OK\r\n" * commands)

    async with scripted(talk) as url:
        connection = SmtpConnection(url)
        assert await sent_by(connection, *(letter() for _ in range(5))) == [None] * 5
        assert [count for count in unanswered if count] == [2, 2, 1]
        connection.close()
