"""`python -m scripts.bank`: serves the sandbox bank until it is told to stop."""

import argparse
import asyncio
import logging
import os
import signal
from urllib.parse import urlsplit

import asyncpg
import uvloop
from aiohttp import web

from scripts.bank.app import Bank
from scripts.bank.store import Store
from scripts.bank.webhooks import Settler

STOP_SECONDS_MAX = 2.0
BACKLOG = 512


def main() -> None:
    """Read the arguments and serve."""
    arguments = _arguments()
    logging.basicConfig(level=logging.WARNING)
    try:
        uvloop.run(_serve(arguments))
    except (OSError, asyncpg.PostgresError) as error:
        raise SystemExit(f"bank: {error}") from None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m scripts.bank", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    # A process list is everybody's to read: secrets are better in the environment.
    environ = os.environ.get
    parser.add_argument("--database-url", default=environ("SOUK_BANK_DATABASE_URL"))
    parser.add_argument("--webhook-url", default=environ("SOUK_BANK_WEBHOOK_URL"))
    parser.add_argument(
        "--webhook-secret", default=environ("SOUK_BANK_WEBHOOK_SECRET", "")
    )
    arguments = parser.parse_args()
    if not arguments.database_url:
        parser.error("--database-url (or SOUK_BANK_DATABASE_URL) is required")
    url = arguments.webhook_url
    if url and (urlsplit(url).scheme not in ("http", "https")):
        parser.error("--webhook-url must be an http(s) address")
    if url and not arguments.webhook_secret:
        parser.error("--webhook-secret (or SOUK_BANK_WEBHOOK_SECRET) is required")
    return arguments


async def _serve(arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    store = await Store.open(arguments.database_url)
    settler = Settler(store, arguments.webhook_url, arguments.webhook_secret)
    runner = web.AppRunner(
        Bank(store, settler).app(),
        access_log=None,
        shutdown_timeout=STOP_SECONDS_MAX,
        handler_cancellation=True,
    )
    await runner.setup()
    await web.TCPSite(runner, arguments.host, arguments.port, backlog=BACKLOG).start()
    settler.start()
    try:
        await stop.wait()
    finally:
        await settler.stop()
        await runner.cleanup()
        await store.close()


main()
