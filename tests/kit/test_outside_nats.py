"""The configuration that the docs give for an outside NATS is enough, and no more."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nats
import pytest

from actors.kit.relay import Published
from bus.kit.bridge import Bridge
from scripts.embedded.nats import _binary
from scripts.embedded.process import wait_until
from tests.conftest import free_port
from tests.kit.faults import caller, journal, names, until
from tests.kit.test_services import LookRequest
from tests.kit.toy import Tell, Told
from tests.kit.toy_domain import Echo

PAGE = Path(__file__).resolve().parents[2] / "docs/how-to/nats-accounts.md"
START_SECONDS_MAX = 10


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[int]:
    """A server as the page says; its port."""
    (block,) = re.findall(
        r"^```text\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE
    )
    port = free_port()
    where = f'listen: "127.0.0.1:{port}"\n'
    store = f'jetstream: {{store_dir: "{tmp_path}"}}\n'
    path = tmp_path / "nats.conf"
    path.write_text(where + block.replace("jetstream: enabled\n", store, 1))
    words = {"SOUK_WORD": "shop", "TILL_WORD": "till"}
    log = (tmp_path / "log").open("wb")
    server = subprocess.Popen([_binary(), "-c", path], env=words, stderr=log)

    def ready() -> bool:
        return b"Server is ready" in (tmp_path / "log").read_bytes()

    try:
        assert wait_until(ready, START_SECONDS_MAX), (tmp_path / "log").read_text()
        yield port
    finally:
        server.terminate()
        server.wait()
        log.close()


async def test_a_shop_and_a_caller_work_by_the_page(toys: Any, outside: int) -> None:
    """It publishes, consumes, parks, alerts, hears events, and answers the till."""
    Echo.failing = {"bad"}
    asked: list[Any] = []
    complaints: list[str] = []

    class Log:
        def warning(self, event: str, **facts: Any) -> None:
            if event == "nats-error":
                complaints.append(str(facts))

        error = info = lambda *_, **__: None

    async with toys("echo") as s:
        ask = caller(s)

        async def ask_or_note(message: Any, **options: Any) -> Any:
            if isinstance(message, tuple):
                asked.append(message)
                return None
            return await ask(message, **options)

        bridge = Bridge(
            f"nats://souk:shop@127.0.0.1:{outside}",
            ask_or_note,
            name="bridge/0",
            consumers={"echo": [Told]},
            services={"payment.process": LookRequest},
            log=Log(),
            alert=lambda *facts: facts,  # type: ignore[arg-type, return-value]
        )
        await bridge.start()
        hearing = await bridge._nats.subscribe("events.>")
        try:
            await _use(s, bridge, hearing, asked, outside)
        finally:
            s.publish, s.bus_down = None, True
            await bridge.stop()
    assert complaints == []


async def _use(
    s: Any, bridge: Bridge, hearing: Any, asked: list[Any], port: int
) -> None:
    async def publish(rows: Any) -> Published:
        return Published(*await bridge.publish(rows))

    s.publish = publish
    one, two = names(0)[0], names(1)[0]
    for name, word in ((one, "1"), (two, "bad")):
        await s.ask(Tell(name=name, subjects=(name,), what=word))

    async def echoed() -> bool:
        return await journal(s, "echo") == [(one, "1 1")]

    await until(echoed)
    assert (await hearing.next_msg(2)).subject == "events.toy.told"
    await until(lambda: asked == [("echo", two, "toy.told.v1")])
    till = await nats.connect(f"nats://till:till@127.0.0.1:{port}")
    try:
        message = await till.request("payment.process", b'{"name": "n"}', timeout=2)
        assert message.headers is None
        assert b'"payment"' in (await till.request("$SRV.PING", timeout=2)).data
    finally:
        await till.close()
