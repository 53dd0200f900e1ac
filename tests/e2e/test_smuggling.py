"""Raw sockets at the whole edge: requests with two ends, folded and slow ones."""

import asyncio
import re
import time
from urllib.parse import urlsplit

import pytest

from serve_app.kit.declared import BODY_SECONDS_MAX
from serve_app.kit.haproxy_config import HEAD_SECONDS_MAX
from tests.e2e.shops import LiveShop

READ_SECONDS_MAX = 90.0
SPARE_SECONDS = 15.0
HIDDEN = b"GET /smuggled HTTP/1.1\r\nHost: shop\r\nX-Request-Id: smuggled-1\r\n\r\n"

pytestmark = pytest.mark.full


async def spoken(
    shop: LiveShop, *parts: bytes, pause_seconds: float = 0.0
) -> tuple[list[int], bytes]:
    """The statuses of all that comes back until the connection ends, and its bytes."""
    where = urlsplit(shop.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    try:
        async with asyncio.timeout(READ_SECONDS_MAX):
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(pause_seconds)
            raw = await reader.read()
    except ConnectionError:
        raw = b""
    finally:
        writer.close()
    found = re.findall(rb"(?:^|\n|})HTTP/1\.[01] (\d{3})", raw)
    return [int(status) for status in found], raw


def framed(*headers: bytes, body: bytes) -> bytes:
    """A POST that says the last request of its connection with these headers."""
    head = [b"POST /cart/items HTTP/1.1", b"Host: shop", *headers]
    return b"\r\n".join((*head, b"Connection: close", b"", body))


CHUNKED = b"0\r\n\r\n" + HIDDEN
LENGTH = b"Content-Length: %d" % len(CHUNKED)
TWO_ENDS = {
    "length and chunks": framed(LENGTH, b"Transfer-Encoding: chunked", body=CHUNKED),
    "chunks and length": framed(b"Transfer-Encoding: chunked", LENGTH, body=CHUNKED),
    "a small length and chunks": framed(
        b"Content-Length: 4", b"Transfer-Encoding: chunked", body=CHUNKED
    ),
    "two lengths": framed(b"Content-Length: 0", LENGTH, body=CHUNKED),
    "a list of lengths": framed(b"Content-Length: 0, 5", body=HIDDEN),
    "a length with a sign": framed(b"Content-Length: +0", body=HIDDEN),
    "a length in hexadecimal": framed(b"Content-Length: 0x0", body=HIDDEN),
    "a negative length": framed(b"Content-Length: -1", body=HIDDEN),
    "another coding": framed(
        b"Transfer-Encoding: xchunked", b"Content-Length: 0", body=HIDDEN
    ),
    "a coding with a tab": framed(b"Transfer-Encoding:\tchunked", LENGTH, body=CHUNKED),
    "a coding after a blank": framed(
        b"Transfer-Encoding : chunked", LENGTH, body=CHUNKED
    ),
    "two codings": framed(
        b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", body=CHUNKED
    ),
    "a folded coding": framed(
        b"X-A: b\r\n Transfer-Encoding: chunked", b"Content-Length: 0", body=CHUNKED
    ),
    "a lone line feed": framed(
        b"X-A: b\nTransfer-Encoding: chunked", b"Content-Length: 0", body=CHUNKED
    ),
    "a chunk that is too long": framed(
        b"Transfer-Encoding: chunked", body=b"FFFFFFFFFFFFFFFFF\r\n" + HIDDEN
    ),
    "a chunk with a sign": framed(
        b"Transfer-Encoding: chunked", body=b"-1\r\n" + HIDDEN
    ),
    "a NUL in the head": framed(b"X-A: \x00", b"Content-Length: 0", body=HIDDEN),
}


@pytest.mark.parametrize("name", TWO_ENDS)
async def test_a_request_with_two_ends_is_one_request(
    live_shop: LiveShop, name: str
) -> None:
    statuses, raw = await spoken(live_shop, TWO_ENDS[name])
    assert len(statuses) <= 1, raw
    assert all(400 <= status < 500 for status in statuses), raw
    assert b"smuggled" not in raw
    statuses, _ = await spoken(live_shop, b"GET /health/live HTTP/1.0\r\n\r\n")
    assert statuses == [200]  # who comes next gets an own answer


async def test_two_requests_of_one_connection_are_answered_in_order(
    live_shop: LiveShop,
) -> None:
    """What the others are held against: a second request that is one."""
    first = b"GET /health/live HTTP/1.1\r\nHost: shop\r\n\r\n"
    second = HIDDEN.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    statuses, raw = await spoken(live_shop, first + second)
    assert statuses == [200, 404], raw
    assert b"smuggled-1" in raw


async def test_a_header_that_is_too_large_is_refused(live_shop: LiveShop) -> None:
    large = b"GET /products HTTP/1.1\r\nHost: shop\r\nX-A: " + b"a" * 200_000
    statuses, _ = await spoken(live_shop, large + b"\r\n\r\n")
    assert statuses in ([], [400], [431])


async def test_who_sends_slowly_is_sent_away(live_shop: LiveShop) -> None:
    """The times are bounds of the shop's, not of its speed."""

    async def slowly(*parts: bytes, pause: float) -> tuple[list[int], float]:
        began = time.monotonic()
        statuses, _ = await spoken(live_shop, *parts, pause_seconds=pause)
        return statuses, time.monotonic() - began

    head = [b"GET /products HTTP/1.1\r\n", *(b"X-A: b\r\n" for _ in range(30))]
    length = b"Content-Type: application/json\r\nContent-Length: 40\r\n"
    body = [
        b"POST /cart/items HTTP/1.1\r\nHost: shop\r\n" + length + b"\r\n",
        *(b" " for _ in range(39)),
    ]
    of_head, of_body = await asyncio.gather(
        slowly(*head, pause=1.0), slowly(*body, pause=2.0)
    )
    assert of_head[0] in ([], [408])
    assert of_head[1] >= HEAD_SECONDS_MAX
    assert of_body[0] in ([], [408])
    assert of_body[1] >= BODY_SECONDS_MAX
