"""A disk that fills under NATS: JetStream takes nothing more until it is tended."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import nats
import pytest

from actors.kit.relay import Published
from bus.kit.bridge import Bridge
from bus.kit.streams import EVENTS
from scripts.breaking.world import mount, unmount
from scripts.embedded.nats import Nats
from scripts.launcher.failures import Failure
from scripts.launcher.tending import Tending
from tests.conftest import free_port
from tests.kit.faults import names, until
from tests.kit.toy import Tell

DISK_BYTES = 6 << 20
EVENTS_TOLD = 12


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        mount(folder, DISK_BYTES)
    except Failure as error:
        pytest.skip(str(error))
    yield folder
    unmount(folder)


class Log:
    """Takes what the bridge says."""

    def warning(self, event: str, **facts: Any) -> None:
        """Nobody reads it."""

    info = error = warning


def fill(path: Path) -> None:
    """Write until nothing more goes onto the disk."""
    with path.open("wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(b"x" * 4096)
        except OSError:
            return


@pytest.mark.full
async def test_nats_takes_events_again_when_a_full_disk_has_room(
    toys: Any, small_disk: Path
) -> None:
    """Guards nats.py: `stuck`; tending.py: `isinstance(server, Sticking)`.

    Nobody restarts it while there is no room, and no event is lost.
    """
    words = dict.fromkeys(("souk", "events", "services"), "word")
    server = Nats(small_disk, free_port(), 0, passwords=words)
    server.start()
    again: list[str] = []
    tending = Tending(
        asyncio.to_thread, again=lambda name, _: again.append(name), say=again.append
    )
    bridge = Bridge(
        server.url(), None, name="bridge/0", consumers={}, services={}, log=Log()
    )
    try:
        await bridge.start()
        async with toys(shards=1) as s:

            async def publish(rows: list[Any]) -> Published:
                return Published(*await bridge.publish(rows))

            s.publish = publish
            name = names(0, 1, 1)[0]
            await s.ask(Tell(name=name, subjects=(name,), what="before"))
            await until(lambda: s.shard("toy").relay.backlog == 0)
            tending.tend("NATS", server)
            fill(small_disk / "ballast")
            await tell_in_vain(s, name)
            await asyncio.sleep(3)
            assert again == []
            assert server.stuck() == ""
            (small_disk / "ballast").unlink()
            await until(lambda: again, 10)
            await until(lambda: s.shard("toy").relay.backlog == 0, 30)
            told = [event["data"]["what"] for event in await s.events()]
        assert again == [
            "[yellow]![/] NATS: a write has failed; it is started again",
            "NATS",
        ]
        assert await stored_words(server) == told
    finally:
        await tending.stop()
        await bridge.stop()
        server.stop()


async def tell_in_vain(s: Any, name: str) -> None:
    """Tell events until publishing fails."""
    for number in range(EVENTS_TOLD):
        what = f"{number} " + "x" * 8000
        await s.ask(Tell(name=name, subjects=(name,), what=what))
    failures = s.shard("toy").counts.publish_failures
    await until(lambda: failures.value > 0, 30)


async def stored_words(server: Nats) -> list[str]:
    """What the stream holds, in its order."""
    client = await nats.connect(server.url())
    js = client.jetstream()
    last = (await js.stream_info(EVENTS)).state.last_seq
    found = [await js.get_msg(EVENTS, seq) for seq in range(1, last + 1)]
    await client.close()
    return [msgspec.json.decode(one.data)["data"]["what"] for one in found]
