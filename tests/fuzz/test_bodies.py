"""Anything as a body, for every route that takes one."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from serve_app.app import routers
from serve_app.kit.declared import declared_of
from tests.fuzz.asking import asked, some
from tests.gateway.fakes import Front

ID = "0192f0c1-0000-7000-8000-000000000001"
TAKING = sorted(
    (
        (method, route.path, declared.body)
        for router in routers()
        for route in router.api.routes
        if (declared := declared_of(route)) and (declared.body or declared.upload)
        for method in route.methods
    ),
    key=lambda each: each[:2],
)
ROUTES = st.sampled_from(TAKING)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([2**31, -(2**63) - 1, 10**30, 1e308, -0.0]),
    st.floats(),
    st.text(max_size=30),
    st.sampled_from(
        ["", "\x00", "\ud800", "=1+1", "a" * 20_000, ID, "tok_visa", "USD"]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=10), inner, max_size=4)
    ),
    max_leaves=10,
)
KINDS = st.sampled_from(
    [
        *(b"application/json", b"application/merge-patch+json", b"text/plain", b""),
        *(b"multipart/form-data", b"multipart/form-data; boundary=x", b"text/csv"),
        b"multipart/form-data; boundary=x; charset=no-such",
        b"application/json; charset=utf-7",
    ]
)
FORMS = st.lists(
    st.sampled_from(
        [
            *(b"--x", b"\r\n", b"--", b"\r\n\r\n", b"x", b"\x00", b"\n", b"a" * 5_000),
            b'Content-Disposition: form-data; name="file"; filename="a.png"',
            b'Content-Disposition: form-data; name="entity_type"',
            b"Content-Disposition: form-data; name*=utf-8''%ff",
            b"Content-Type: image/png",
            b"Content-Type: text/plain; charset=no-such",
            b"Content-Transfer-Encoding: base64",
        ]
    ),
    max_size=12,
).map(b"".join)
RAW = st.one_of(
    VALUES.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=100),
    FORMS,
    st.sampled_from(
        [b"[" * 100_000, b'{"a":' * 20_000, b"9" * 10_000, b"\xef\xbb\xbf{}"]
    ),
)


def near(body: Any, filled: dict[str, Any]) -> bytes:
    """A JSON object with the body's own fields, each with something in it."""
    names = list(body.model_fields) if body else ["file"]
    return json.dumps(
        {names[int(n) % len(names)]: value for n, value in filled.items()}
    ).encode()


FILLED = st.dictionaries(st.integers(0, 30).map(str), VALUES, max_size=8)


async def check(edge: Front, route: Any, raw: bytes, kind: bytes) -> None:
    method, path, _ = route
    line = f"{method} {path}".replace("{provider}", "stripe")
    while "{" in line:
        before, _, rest = line.partition("{")
        line = before + ID + rest.partition("}")[2]
    head = [(b"content-type", kind)]
    head += [(n.lower().encode(), v.encode()) for n, v in edge.bearer("ADMIN").items()]
    said = await asked(edge.edge, line, head, raw)
    said.expect()


@some(60)
@given(ROUTES, RAW, KINDS)
@example(TAKING[0], b"[" * 100_000, b"application/json")
async def test_any_body_is_refused_or_taken(
    edge: Front, route: Any, raw: bytes, kind: bytes
) -> None:
    await check(edge, route, raw, kind)


@some(40)
@given(ROUTES, FILLED)
async def test_a_body_of_the_right_fields_is_refused_or_taken(
    edge: Front, route: Any, filled: dict[str, Any]
) -> None:
    await check(edge, route, near(route[2], filled), b"application/json")


@pytest.mark.full
@some(4_000)
@given(ROUTES, RAW | FILLED, KINDS)
async def test_any_of_many_bodies_is_refused_or_taken(
    edge: Front, route: Any, raw: Any, kind: bytes
) -> None:
    if isinstance(raw, dict):
        raw, kind = near(route[2], raw), b"application/json"
    await check(edge, route, raw, kind)
