"""Anything in the headers that the shop reads: refused, or passed over."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.fuzz.asking import Headers, asked, some
from tests.gateway.fakes import Front

NAMES = (
    *("authorization", "x-cart-token", "x-order-token", "idempotency-key", "cookie"),
    *("if-match", "if-none-match", "if-range", "range", "traceparent", "tracestate"),
    *("x-request-id", "x-forwarded-for", "content-length", "content-type", "accept"),
    *("accept-language", "origin", "access-control-request-method", "last-event-id"),
    *("cache-control", "forwarded", "host", "user-agent", "transfer-encoding"),
    *("bank-signature", "stripe-signature", "paypal-cert-url", "x-twilio-signature"),
)
LINES = (
    "GET /products",
    "GET /orders",
    "GET /cart",
    "GET /files/0192f0c1-0000-7000-8000-000000000001/content",
    "GET /orders/0192f0c1-0000-7000-8000-000000000001/stream",
    "GET /auth/google/callback",
    "POST /cart/items",
    "POST /orders",
    "POST /payments/webhooks/paypal",
    "PUT /users/profile",
    "OPTIONS /products",
)
# What almost is what the shop looks for, and what has hurt others.
PIECES = st.sampled_from(
    [
        *(b"Bearer ", b"bytes=", b"0-", b"-0", b"99999999999999999999", b'W/"', b'"1"'),
        *(
            b"*",
            b",",
            b";",
            b"=",
            b"t=1,v1=",
            b"\x00",
            b"\xff",
            b"\xc3\xa9",
            b"\t",
            b" ",
        ),
        *(b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01", b"souk_access=", b"%00"),
        *(b"https://[", b"https://a.paypal.com", b"::1", b"fe80::%1", b"1.2.3.4", b"["),
        *(b"en-GB;q=0.9", b"no-cache", b"multipart/form-data; boundary=", b"\xd9\xa3"),
        *(b"application/json", b"..", b"/", b"9" * 4_400, b"(" * 300, b"\x7f"),
    ]
)
VALUES = st.one_of(st.lists(PIECES, max_size=5).map(b"".join), st.binary(max_size=200))
HEADS = st.lists(st.tuples(st.sampled_from(NAMES).map(str.encode), VALUES), max_size=6)


async def check(edge: Front, line: str, head: Headers) -> None:
    said = await asked(edge.edge, line, head)
    said.expect(200, 204)
    for name, value in said.headers.items():
        assert b"\n" not in name + value and b"\r" not in name + value


@some(120)
@given(st.sampled_from(LINES), HEADS)
@example("GET /products", [(b"content-length", b"9" * 5_000)])
@example("POST /payments/webhooks/paypal", [(b"paypal-cert-url", b"https://[")])
@example("GET /orders", [(b"authorization", b"Bearer " + b"\xff" * 40)])
async def test_any_head_is_answered(edge: Front, line: str, head: Headers) -> None:
    await check(edge, line, head)


@pytest.mark.full
@some(5_000)
@given(st.sampled_from(LINES), HEADS)
async def test_any_of_many_heads_is_answered(
    edge: Front, line: str, head: Headers
) -> None:
    await check(edge, line, head)
