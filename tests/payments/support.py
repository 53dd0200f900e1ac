"""The sandbox bank as a process of its own, and what tests do to it."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import asyncpg
import msgspec
from aiohttp import web

from bus.kit.addressing import new_id
from bus.kit.refusals import Unknown
from bus.kit.settings import Settings
from bus.kit.values import Money
from bus.payments import Charge

ROOT = Path(__file__).resolve().parents[2]
SECRET = "a-secret-of-the-tests"
KEYS = "3m7R2JrbZbSqkS0hTE9kJrTIaqXBMvVCVCyGjFTkkqM="
START_SECONDS_MAX = 60
UNTIL_SECONDS_MAX = 60.0
"""When a test gives up: a stalled machine may be slow, and is not wrong."""

ASKS_MAX = 30


class Bank:
    """A running bank; `stop` and `start` end and begin its process."""

    def __init__(self, port: int, database_url: str, webhook_port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.webhook_port = webhook_port
        self.database_url = database_url
        self._command = [
            *(sys.executable, "-m", "scripts.bank", "--port", str(port)),
            *("--webhook-url", f"http://127.0.0.1:{webhook_port}/hook"),
        ]
        self._environ = {
            **os.environ,
            "SOUK_BANK_DATABASE_URL": database_url,
            "SOUK_BANK_WEBHOOK_SECRET": SECRET,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process; it is ready when it answers."""
        self._process = subprocess.Popen(self._command, cwd=ROOT, env=self._environ)

    def stop(self, *, kill: bool = False) -> None:
        """End the process, gently or as SIGKILL does."""
        assert self._process is not None
        if kill:
            self._process.kill()
        else:
            self._process.terminate()
        self._process.wait(10)

    async def ready(self) -> None:
        """Wait until it answers."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                await self.call("GET", "/health")
                return
            except aiohttp.ClientError:
                assert time.monotonic() < deadline, "the bank does not start"
                await asyncio.sleep(0.05)

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """One call: status and body. A list is sent as NDJSON."""
        data = None
        if isinstance(body, bytes):
            data = body
        elif isinstance(body, list):
            data = b"\n".join(msgspec.json.encode(line) for line in body)
        elif body is not None:
            data = msgspec.json.encode(body)
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, self.url + path, data=data) as response,
        ):
            return response.status, await response.read()

    async def lines(self, path: str, body: Any) -> list[dict[str, Any]]:
        """The lines that a call is answered with."""
        status, answer = await self.call("POST", path, body)
        assert status in (200, 422), answer
        return [msgspec.json.decode(line) for line in answer.splitlines()]

    async def faults(self, **faults: Any) -> None:
        """What is wrong with the bank from now on; nothing: all is well."""
        status, answer = await self.call("PUT", "/dev/faults", faults)
        assert status == 200, answer

    async def ledger(self, order_id: UUID | None = None) -> list[dict[str, Any]]:
        """The bank's books, or those of one order."""
        _, answer = await self.call("GET", "/v1/ledger")
        rows = [msgspec.json.decode(line) for line in answer.splitlines()]
        if order_id is None:
            return rows
        charges = [row for row in rows if row.get("order_id") == str(order_id)]
        keys = {row["key"] for row in charges}
        return charges + [row for row in rows if row.get("charge_key") in keys]


async def at_bank(bank: Bank, sql: str, *values: Any) -> str:
    """Change the bank's own books by hand; what the statement says it did."""
    connection = await asyncpg.connect(bank.database_url)
    try:
        return str(await connection.execute(sql, *values))
    finally:
        await connection.close()


@asynccontextmanager
async def receiver(port: int, *statuses: int) -> AsyncIterator[list[tuple[str, bytes]]]:
    """Takes webhooks: (signature, body); answers with `statuses` first, then 204."""
    taken: list[tuple[str, bytes]] = []
    left = list(statuses)

    async def take(request: web.Request) -> web.Response:
        taken.append((request.headers["Bank-Signature"], await request.read()))
        return web.Response(status=left.pop(0) if left else 204)

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield taken
    finally:
        await runner.cleanup()


async def until(done: Any, seconds: float = UNTIL_SECONDS_MAX) -> Any:
    """The first true value that `done` (async) answers with."""
    deadline = time.monotonic() + seconds
    while not (value := await done()):
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.05)
    return value


def settings_for(bank: Bank) -> Settings:
    """The settings of a shop that charges at `bank`."""
    return Settings(bank_url=bank.url, bank_webhook_secret=SECRET, encryption_keys=KEYS)


def charge(token: str | None = "tok_visa", **fields: Any) -> Charge:
    """A charge of 19.99 for a new order."""
    values: dict[str, Any] = {
        "order_id": new_id(),
        "amount": Money(1999, "USD"),
        "method": "CREDIT_CARD",
        "token": token,
    }
    return Charge(**{**values, **fields})


def form(token: str = "tok_visa", **fields: Any) -> dict[str, Any]:
    """A line that asks the bank itself for a charge."""
    values = {"key": str(uuid4()), "amount": 500, "currency": "USD", "token": token}
    return {**values, **fields}


async def insist(s: Any, message: Any, **options: Any) -> Any:
    """Ask as callers must: an Unknown end is asked again, with the same id."""
    command_id = new_id(message.key)
    for _ in range(ASKS_MAX):
        try:
            return await s.ask(message, id=command_id, join=True, **options)
        except Unknown:
            continue
    raise AssertionError("still unknown after so many asks")
