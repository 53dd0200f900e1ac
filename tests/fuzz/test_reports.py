"""Anything as a bounce, a word of Twilio's or a webhook: refused as unsigned."""

import json
import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from actors.messaging.bounces import read_bounce, read_sms_status
from actors.messaging.return_paths import ReturnPaths
from actors.payments.paypal.webhooks import Proofs
from actors.payments.stripe.webhooks import prove
from bus.kit.refusals import Refusal
from tests.fuzz.asking import some

MESSAGE = UUID("0192f0c1-0000-7000-8000-000000000001")
PATHS = ReturnPaths("bounces@shop.example", ("secret",))
OURS = str(PATHS.of(MESSAGE))
BITS = st.sampled_from(
    [
        *(
            b"To: ",
            b"Return-Path: ",
            b"\r\n",
            b"\n",
            b" ",
            b"\x00",
            b"\xff",
            b"--x",
            b"--",
        ),
        *(b"Content-Type: multipart/report; boundary=x", b"Content-Type: ", b"failed"),
        *(
            b"message/delivery-status",
            b"Action: failed",
            b"Status: 5.1.1",
            b"=?utf-8?b?",
        ),
        *(
            b"=?no-such?q?=ff?=",
            b"bounces+" + b"0" * 32 + b"." + b"a" * 16 + b"@",
            b"?=",
        ),
        *(
            b"Content-Transfer-Encoding: base64",
            b"MIME-Version: 1.0",
            b"message/rfc822",
        ),
        *(b"Content-Type: text/plain; charset*=x''%", b"boundary*0=", b"(" * 500),
    ]
)
BODIES = st.one_of(
    st.lists(BITS, max_size=30).map(b"".join),
    st.binary(max_size=200),
    st.sampled_from(
        [b"[" * 5_000, b'{"return_path":' + b"[" * 600 + b"]" * 600 + b"}"]
    ),
    st.dictionaries(
        st.sampled_from(("return_path", "action", "status")),
        st.recursive(
            st.none() | st.integers() | st.text(max_size=40),
            lambda inner: st.lists(inner, max_size=3),
            max_leaves=5,
        ),
    ).map(lambda body: json.dumps(body).encode()),
)
KINDS = st.sampled_from(("application/json", "message/rfc822", "", "text/plain; x"))
TEXTS = st.one_of(
    st.text(max_size=80),
    st.sampled_from(
        ["t=1,v1=é", "t=9999999999999,v1=", "https://[", "t=٣,v1=a", "t=1"]
    ),
)


def check(body: bytes, kind: str, text: str) -> None:
    url, signed = f"https://shop.example/x?{text}", {"stripe-signature": text}
    for read, code in (
        (lambda: read_bounce(body, kind, PATHS), "signature-invalid"),
        (lambda: read_sms_status(url, body, text, "secret"), "signature-invalid"),
        (lambda: prove(body, signed, "whsec", time.time()), "forbidden"),
    ):
        with pytest.raises(Refusal) as refused:
            read()
        assert refused.value.code == code


@some(80)
@given(BODIES, KINDS, TEXTS)
@example(b'{"return_path":' + b"[" * 900 + b"]" * 900 + b"}", "application/json", "")
def test_any_report_is_refused_as_unsigned(body: bytes, kind: str, text: str) -> None:
    check(body, kind, text)


@pytest.mark.full
@some(5_000)
@given(BODIES, KINDS, TEXTS)
def test_any_of_many_reports_is_refused_as_unsigned(
    body: bytes, kind: str, text: str
) -> None:
    check(body, kind, text)


@some(50)
@given(BODIES)
def test_what_is_signed_is_read_or_says_nothing(body: bytes) -> None:
    report = read_bounce(f"To: {OURS}\r\n".encode() + body, "message/rfc822", PATHS)
    assert report is None or report.message_id == MESSAGE


@some(100)
@given(st.text(max_size=80).map(lambda text: OURS.replace("@", text, 1)))
def test_a_return_path_is_ours_only_as_it_was_given(text: str) -> None:
    assert PATHS.read(text) in ((MESSAGE,) if OURS in text else (None,))


class Silent:
    """PayPal, which must not be asked, and a log that nothing is written to."""

    async def call(self, *_: object, **__: object) -> Any:
        """Be asked for somebody who is not PayPal."""
        raise AssertionError("a stranger has made the shop call PayPal")


@some(40)
@given(BODIES, TEXTS | st.sampled_from(["https://a.paypal.com.evil.example/x"]))
@example(b"{}", "https://[")
async def test_a_stranger_makes_nobody_ask_paypal(body: bytes, url: str) -> None:
    silent: Any = Silent()
    names = ("auth-algo", "transmission-id", "transmission-sig", "transmission-time")
    head: Mapping[str, str] = {
        **{f"paypal-{name}": "x" for name in names},
        "paypal-cert-url": url,
    }
    with pytest.raises(Refusal) as refused:
        await Proofs(silent, "id", silent).prove(body, head)
    assert refused.value.code == "forbidden"
