"""Streams answers: each line leaves when it is known, in as few writes as that allows.

The lines that are known at once leave together; a slow one keeps nobody waiting.
"""

import asyncio
import time
from collections.abc import Sequence
from itertools import groupby

from aiohttp import web

SILENCE_SECONDS_MAX = 120
CONTENT_TYPE = "application/x-ndjson"

Timed = tuple[float, bytes]
"""Seconds until a line is known, and the line."""


async def answer(
    request: web.Request, lines: Sequence[Timed], *, mute: bool, status: int = 200
) -> web.StreamResponse:
    """Send each line at its time; `mute`: then hold the call open without a word."""
    if not mute and all(delay <= 0 for delay, _ in lines):
        body = b"".join(line for _, line in lines)
        return web.Response(body=body, status=status, content_type=CONTENT_TYPE)
    response = web.StreamResponse(status=status)
    response.content_type = CONTENT_TYPE
    begin = time.monotonic()
    # The headers say that the call was taken: the caller may send its next one.
    await response.prepare(request)
    for delay, group in groupby(sorted(lines), key=lambda timed: timed[0]):
        await asyncio.sleep(begin + delay - time.monotonic())
        await response.write(b"".join(line for _, line in group))
    if mute:
        await silence()
    await response.write_eof()
    return response


async def silence() -> None:
    """Say nothing for as long as anyone could be listening."""
    await asyncio.sleep(SILENCE_SECONDS_MAX)
