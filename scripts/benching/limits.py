"""`bench limits`: what this machine can do at most, where the shop stands on it."""

import asyncio
import hashlib
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from nats.js.api import StorageType, StreamConfig

from bus.kit.settings import Settings
from scripts.auditing import streaming
from scripts.auditing.place import running_place
from scripts.benching.costs import not_durable, read_durability
from scripts.benching.load import share_of
from scripts.benching.postgres_alone import measure_alone

PAGE = bytes(8192)
MEGABYTES = 64
HASHED = bytes(16 * 1024)
EVENT = bytes(512)
PUBLISHED_UNDER_WAY = 64
ROUND_TRIPS_MAX = 1_000_000
STREAM, SUBJECT = "BENCH_LIMITS", "bench.limits"
STREAM_BYTES_MAX = 64 << 20
ACK_SECONDS_MAX = 10.0


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of the machine, and how it was taken."""

    what: str
    figure: float
    unit: str
    how: str


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """All of them, and whether the databases were durable the while."""

    cpus: int
    limits: list[Limit]
    durability: dict[str, dict[str, str]]

    def faults(self) -> list[str]:
        """Why they do not count; nothing when they do."""
        return not_durable(self.durability)


async def measure_limits(settings: Settings, seconds: float) -> Limits:
    """Each alone, one after another, for so long; the shop is to be idle."""
    place = running_place(settings)
    loop = asyncio.get_running_loop()
    found = []
    for measure in (_synced, _copied, _hashed, _there_and_back):
        folder = place.settings.data_dir
        found.append(await loop.run_in_executor(None, measure, seconds, folder))
    alone = await measure_alone(place.urls["inventory"], seconds)
    found += [
        Limit(
            what="Postgres, holds in batches",
            figure=alone.batch_per_second,
            unit="a second",
            how=f"one connection, {alone.batch} a transaction, with rows of events",
        ),
        Limit(
            what="Postgres, holds one by one",
            figure=alone.single_row_per_second,
            unit="a second",
            how=f"{alone.connections} connections, one a transaction, one SKU",
        ),
        await _published(place.nats_url, seconds),
    ]
    return Limits(
        cpus=len(os.sched_getaffinity(0)),
        limits=found,
        durability=await read_durability(place.urls),
    )


def _synced(seconds: float, folder: Path) -> Limit:
    with tempfile.NamedTemporaryFile(dir=folder, prefix="bench-sync-") as file:
        handle = file.fileno()

        def sync() -> None:
            os.pwrite(handle, PAGE, 0)
            os.fdatasync(handle)

        rate = _rate(sync, seconds)
    return Limit(
        what="fdatasync",
        figure=rate,
        unit="a second",
        how="a page of 8 KiB written and synced in the data folder, one at a time",
    )


def _copied(seconds: float, folder: Path) -> Limit:
    del folder
    whole = bytearray(MEGABYTES << 20)
    rate = _rate(lambda: bytes(whole), seconds)
    return Limit(
        what="memory copied",
        figure=rate * MEGABYTES / 1024,
        unit="GiB a second",
        how=f"one core, {MEGABYTES} MiB at a time, new memory each time",
    )


def _hashed(seconds: float, folder: Path) -> Limit:
    del folder
    rate = _rate(lambda: hashlib.sha256(HASHED).digest(), seconds)
    return Limit(
        what="SHA-256",
        figure=rate * len(HASHED) / (1 << 20),
        unit="MiB a second",
        how=f"one core, {len(HASHED) >> 10} KiB at a time",
    )


def _there_and_back(seconds: float, folder: Path) -> Limit:
    """The median: two threads take turns, so each byte waits for a switch as well."""
    del folder
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        other, _ = server.accept()
        for each in (client, other):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def echo() -> None:
            with other:
                while byte := other.recv(1):
                    other.sendall(byte)

        echoing = threading.Thread(target=echo)
        echoing.start()
        taken: list[float] = []
        end = time.perf_counter() + seconds
        with client:
            while time.perf_counter() < end and len(taken) < ROUND_TRIPS_MAX:
                begun = time.perf_counter()
                client.sendall(b".")
                client.recv(1)
                taken.append((time.perf_counter() - begun) * 1e6)
        echoing.join()
    return Limit(
        what="loopback, there and back",
        figure=share_of(taken, 0.5),
        unit="µs",
        how="median, one byte over TCP between two threads of one process",
    )


async def _published(url: str, seconds: float) -> Limit:
    """Into a stream of its own on disk, which is deleted afterwards."""
    nats = await streaming.connect(url)
    try:
        js = nats.jetstream(timeout=ACK_SECONDS_MAX)
        await js.add_stream(
            StreamConfig(
                name=STREAM,
                subjects=[SUBJECT],
                storage=StorageType.FILE,
                max_bytes=STREAM_BYTES_MAX,
            )
        )
        try:
            begun = time.perf_counter()

            async def publish() -> int:
                count = 0
                while time.perf_counter() - begun < seconds:
                    await js.publish(SUBJECT, EVENT)
                    count += 1
                return count

            counts = await asyncio.gather(
                *(publish() for _ in range(PUBLISHED_UNDER_WAY))
            )
            rate = sum(counts) / (time.perf_counter() - begun)
        finally:
            await js.delete_stream(STREAM)
    finally:
        await nats.close()
    return Limit(
        what="JetStream, events published",
        figure=rate,
        unit="a second",
        how=f"{len(EVENT)} bytes each, {PUBLISHED_UNDER_WAY} under way, one client",
    )


def _rate(act: Callable[[], object], seconds: float) -> float:
    begun, count = time.perf_counter(), 0
    while time.perf_counter() - begun < seconds:
        act()
        count += 1
    return count / (time.perf_counter() - begun)
