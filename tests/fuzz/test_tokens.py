"""Anything for a token: an access token, a refresh token, a sealed sign-in, a state."""

import base64
import json
import string
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from actors.users.pepper import Seal
from serve_app.kit.caller import checked_key, checked_token
from serve_app.kit.identity import Tokens, bearer
from serve_app.kit.problems import Problem
from serve_app.users.bodies import parts_of
from tests.fuzz.asking import some
from tests.gateway.fakes import PERSON, SESSION, Front

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(("alg", "kid", "typ", "crit", "jwk", "sub", "exp", "aud")),
            inner,
            max_size=5,
        )
    ),
    max_leaves=8,
)
PARTS = st.one_of(
    JSON.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=60),
    st.integers(1, 1_500).map(lambda depth: b"[" * depth),
    st.integers(1, 1_500).map(lambda depth: b'{"a":' * (depth // 5)),
).map(lambda raw: base64.urlsafe_b64encode(raw).rstrip(b"=").decode())
TOKENS = st.one_of(
    st.lists(PARTS, min_size=1, max_size=5).map(".".join),
    st.text(max_size=300),
    st.text(string.ascii_letters + string.digits + "-_.=", max_size=300),
)


def check(tokens: Tokens, token: str) -> None:
    with pytest.raises(Problem) as refused:
        tokens.verify(token)
    assert (refused.value.status, refused.value.code) == (401, "invalid-token")
    assert token not in tokens._verified
    with suppress(Problem):
        assert bearer(f"bearer {token}") == token.strip()
    assert checked_token(token) in (token, None)
    with suppress(Problem):
        assert checked_key(token) == token
    parts = parts_of(token)
    assert parts is None or token == f"{parts[0]}.{parts[1]}"
    assert Seal("pepper").open(token) is None


@some(100)
@given(TOKENS)
@example(base64.urlsafe_b64encode(b"[" * 1_500).decode().rstrip("=") + ".e30.e30")
def test_any_token_is_refused(edge: Front, token: str) -> None:
    check(edge.gateway.tokens, token)


@pytest.mark.full
@some(5_000)
@given(TOKENS)
def test_any_of_many_tokens_is_refused(edge: Front, token: str) -> None:
    check(edge.gateway.tokens, token)


@some(100)
@given(st.integers(0, 600), st.integers(1, 127))
def test_a_good_token_with_one_changed_sign_is_refused(
    edge: Front, at: int, by: int
) -> None:
    tokens = edge.gateway.tokens
    good = tokens.sign(PERSON, "CUSTOMER", 1, SESSION)
    at %= len(good) - 1  # the last sign has bits that mean nothing
    changed = good[:at] + chr(ord(good[at]) ^ by) + good[at + 1 :]
    with pytest.raises(Problem):
        tokens._decode(changed)
