"""What is asked of providers that answer nothing, past what may wait."""

import asyncio
from typing import Any, NamedTuple, cast

import aiohttp
import pytest
import structlog

from actors.payments import lines
from actors.payments.lines import AnswerLine, Lines, NoAnswer
from actors.payments.paypal import webhooks
from actors.payments.paypal.webhooks import Access, Proofs
from bus.kit.refusals import Unavailable
from tests.conftest import free_port


async def test_past_what_may_wait_nothing_more_is_asked_of_a_provider(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lines, "WAITING_MAX", 4)
    monkeypatch.setattr(lines, "CALLS_MAX", 1)
    asked: list[int] = []
    gate = asyncio.Event()

    async def answer(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        keys = (await reader.readexactly(length)).split(b"\n")
        asked.append(len(keys))
        await gate.wait()
        said = b"".join(b'{"key": "%b", "status": "ok"}\n' % key for key in keys)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n" % len(said))
        writer.write(b"Connection: close\r\n\r\n" + said)
        await writer.drain()
        writer.close()

    port = free_port()
    server = await asyncio.start_server(answer, "127.0.0.1", port)
    async with server, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{port}"
        log = structlog.get_logger("payments")
        asks = Lines(session, url, AnswerLine, log, 5.0)
        first = asyncio.ensure_future(asks.ask("0", b"0", 5.0))
        while not asked:  # noqa: ASYNC110 - the server says so
            await asyncio.sleep(0.01)
        more = [
            asyncio.ensure_future(asks.ask(str(n), b"%d" % n, 5.0))
            for n in range(1, 10)
        ]
        done, _ = await asyncio.wait(more, timeout=0.2)
        assert len(done) == 5
        for each in done:
            with pytest.raises(NoAnswer, match="too many"):
                each.result()
        assert len(asks._waiting) <= 4
        gate.set()
        answered = await asyncio.gather(first, *(set(more) - done))
        assert {one.key for one in answered} == {"0", "1", "2", "3", "4"}
        assert sum(asked) == 5


class Silent:
    """PayPal, which says nothing until it may."""

    def __init__(self) -> None:
        self.calls = 0
        self.may = asyncio.Event()

    async def call(self, *_: Any, **__: Any) -> Any:
        """Wait, then say that it is genuine."""
        self.calls += 1
        await self.may.wait()
        return Said(200, b'{"verification_status": "SUCCESS"}')


class Said(NamedTuple):
    """Its answer."""

    status: int
    body: bytes


async def test_past_its_proofs_a_webhook_is_to_come_again_and_costs_no_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(webhooks, "PROOFS_MAX", 2)
    paypal = Silent()
    log = structlog.get_logger("payments")
    proofs = Proofs(cast("Access", paypal), "WH-1", log)
    headers = dict.fromkeys(webhooks._SIGNED.values(), "x")
    headers["paypal-cert-url"] = "https://api.paypal.com/cert"
    came = [asyncio.ensure_future(proofs.prove(b"{}", headers)) for _ in range(6)]
    done, held = await asyncio.wait(came, timeout=0.05)
    assert (len(done), len(held), paypal.calls) == (4, 2, 2)
    for each in done:
        with pytest.raises(Unavailable):
            each.result()
    paypal.may.set()
    assert await asyncio.gather(*held) == [None, None]
    await proofs.prove(b"{}", headers)
    assert paypal.calls == 3
