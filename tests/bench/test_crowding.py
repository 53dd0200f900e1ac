"""A crowd of connections: what it holds, what it is told, and how it is judged."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from scripts.benching.crowding import crowd as crowding
from scripts.benching.crowding.crowd import (
    Close,
    Crowd,
    Knock,
    Look,
    Open,
    Seen,
    Stream,
)
from scripts.benching.crowding.figures import Connections, Loaded
from scripts.benching.crowding.holding import Chunks
from scripts.benching.soaking.slopes import Held

EVENTS = (b"retry: 5\n\n", b"id: 1\nevent: a\nda", b"ta: {}\n\nid: 3\n", b"data:\n\n")


def chunk(part: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(part), part)


@asynccontextmanager
async def _shop(room: int) -> AsyncIterator[str]:
    """Takes so many connections, tells more that it is full, then says nothing."""
    here: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        here.append(writer)
        number = len(here)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                if number > room:
                    writer.write(b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\n\r\n")
                    break
                if b"/stream" in head:
                    writer.write(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n" + chunk(EVENTS[0]))
                    for part in EVENTS[1:]:
                        await asyncio.sleep(0.01)
                        writer.write(chunk(part))
                else:
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.close()
        for writer in here:
            writer.transport.abort()


async def _do(crowd: Crowd, order: crowding.Order) -> Seen:
    said = await crowd.do(msgspec.json.encode(order))
    return msgspec.json.decode(said, type=Seen)


async def test_a_crowd_is_opened_told_turned_away_and_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(crowding, "KNOCKS_AT_ONCE", 4)
    streams = [Stream("/orders/1/stream", {"X-Order-Token": "t"})] * 2
    async with _shop(room=6) as url:
        crowd = Crowd()
        opened = await _do(crowd, Open(url=url, streams=streams, idle=3))
        assert (opened.streams, opened.idle, opened.statuses) == (2, 3, {200: 5})
        async with asyncio.timeout(5):
            seen = opened
            while seen.ids != [[1, 3], [1, 3]]:
                await asyncio.sleep(0.01)
                seen = await _do(crowd, Look())
        knocked = await _do(crowd, Knock(refused=3, most=20))
        assert (knocked.let_in, knocked.refused, knocked.told) == (
            1,
            {"answered 503": 3},
            3,
        )
        closed = await _do(crowd, Close())
        assert (closed.streams, closed.idle) == (0, 0)
    assert seen.streams == 2


async def test_who_is_not_answered_is_silent_and_who_is_cut_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(crowding, "OPEN_SECONDS_MAX", 0.2)
    monkeypatch.setattr(crowding, "KNOCKS_AT_ONCE", 2)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(8)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        crowd = Crowd()
        await _do(crowd, Open(url=url, streams=[], idle=0))
        assert (await _do(crowd, Knock(refused=1, most=2))).refused == {"silent": 2}
    assert (await _do(crowd, Knock(refused=1, most=2))).refused == {"closed": 2}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1_000])
def test_chunks_are_read_however_they_are_cut(size: int) -> None:
    whole = b"".join(map(chunk, EVENTS)) + b"0\r\n\r\n"
    chunks = Chunks()
    pieces = (whole[at : at + size] for at in range(0, len(whole), size))
    assert b"".join(map(chunks.take, pieces)) == b"".join(EVENTS)


def _held(megabytes: int, files: int, connections: int) -> dict[str, Held]:
    one = Held(
        seconds=0.0,
        processes=1,
        resident=megabytes << 20,
        unique=megabytes << 20,
        files=files,
        connections=connections,
    )
    return {"gateway": one}


def _found(**more: object) -> Connections:
    loads = {"orders": Loaded(100.0, 5.0, 20.0, {}), "hot": Loaded(900.0, 1.0, 4.0, {})}
    level = _held(100, 90, 40)
    given = {
        "streams": 20,
        "idle": 80,
        "open_streams": 20,
        "open_idle": 80,
        "opened_seconds": 1.0,
        "alone": loads,
        "beside": loads,
        "told": 80,
        "wrong": 0,
        "told_seconds": 0.5,
        "knocked": Seen(refused={"answered 503": 5, "closed": 2}, told=5),
        "streams_knocked": Seen(),
        "held": dict.fromkeys(("before", "open", "after", "again"), level),
    }
    return Connections(**(given | more))  # type: ignore[arg-type]


def test_a_crowd_that_changes_nothing_meets_every_aim() -> None:
    found = _found()
    assert found.faults() == []
    assert {aim.key: aim.met for aim in found.aims()} == dict.fromkeys(
        (
            *("connections-rate", "connections-p99", "connections-files"),
            *("connections-open", "connections-memory"),
        ),
        True,
    )
    assert "80 idle connections" in found.words()


@pytest.mark.parametrize(
    ("more", "missed"),
    [
        (
            {
                "beside": {
                    "orders": Loaded(79.0, 5, 20, {}),
                    "hot": Loaded(900, 1, 4, {}),
                }
            },
            "rate",
        ),
        (
            {
                "beside": {
                    "orders": Loaded(100, 5, 31.0, {}),
                    "hot": Loaded(900, 1, 4, {}),
                }
            },
            "p99",
        ),
    ],
)
def test_the_scene_that_suffers_most_counts(
    more: dict[str, object], missed: str
) -> None:
    aims = {aim.key: aim for aim in _found(**more).aims()}
    assert [key for key, aim in aims.items() if not aim.met] == [
        f"connections-{missed}"
    ]
    assert "orders" in aims[f"connections-{missed}"].what


@pytest.mark.parametrize(
    ("when", "held", "missed"),
    [
        ("after", _held(100, 121, 40), "files"),
        ("after", _held(100, 90, 61), "open"),
        ("again", _held(111, 90, 40), "memory"),
    ],
)
def test_what_a_crowd_leaves_behind_misses_its_aim(
    when: str, held: dict[str, Held], missed: str
) -> None:
    every = _found().held | {when: held}
    aims = _found(held=every).aims()
    assert [aim.key for aim in aims if not aim.met] == [f"connections-{missed}"]


@pytest.mark.parametrize(
    "more",
    [
        {"open_idle": 79},
        {"open_streams": 19},
        {"wrong": 1},
        {"knocked": Seen(refused={"silent": 1})},
        {"knocked": Seen(refused={"answered 503": 2}, told=1)},
        {"streams_knocked": Seen(refused={"answered 500": 1})},
    ],
)
def test_a_crowd_that_is_not_served_as_it_must_be_does_not_count(
    more: dict[str, object],
) -> None:
    assert len(_found(**more).faults()) == 1
