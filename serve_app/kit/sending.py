"""An answer on its way to a reader, who may be slow: in parts, each within its time.

A server keeps all that it is given until the reader has taken it, and a connection
that is closed in good order keeps it, too. So what is given at once is bounded, and a
reader that is too slow loses its connection together with what waits there.
"""

import asyncio
from typing import Any

from starlette.types import Message, Send

PART_BYTES_MAX = 64 << 10
PART_SECONDS_MAX = 30.0


class TooSlow(Exception):
    """The reader has not taken a part in its time, or has gone away."""


async def send_body(send: Send, message: Message) -> None:
    """Pass a body on; raises TooSlow when a part before its last one is not taken.

    What is short, and an end, is handed over as it is: it waits for nobody.
    """
    body, more = message.get("body", b""), message.get("more_body", False)
    if not more and len(body) <= PART_BYTES_MAX:
        await send(message)
        return
    for start in range(0, max(len(body), 1), PART_BYTES_MAX):
        part = bytes(body[start : start + PART_BYTES_MAX])
        is_last = start + PART_BYTES_MAX >= len(body)
        await _in_time(
            send,
            {
                "type": "http.response.body",
                "body": part,
                "more_body": more or not is_last,
            },
        )


async def _in_time(send: Send, message: Message) -> None:
    if getattr(_exchange_of(send), "disconnected", False):
        raise TooSlow("it is gone")
    try:
        async with asyncio.timeout(PART_SECONDS_MAX):
            await send(message)
    except TimeoutError:
        raise TooSlow("it takes nothing") from None


def cut(send: Send) -> None:
    """End the connection behind `send` at once, with all that waits in it.

    The server that Ray Serve runs (uvicorn) gives a method of the exchange, which
    knows the connection. Behind any other this does nothing.
    """
    transport = getattr(_exchange_of(send), "transport", None)
    if transport is not None:
        transport.abort()


def _exchange_of(send: Send) -> Any:
    return getattr(send, "__self__", None)
