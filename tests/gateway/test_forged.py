"""Tokens whose head lures a verifier, made by hand as no library would make them."""

import base64
import json
from hashlib import sha256
from hmac import digest
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.gateway.fakes import SEED, Front
from tests.gateway.test_identity import ask, claims, kid
from tests.gateway.test_problems import check

KEY = Ed25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode(SEED))
PUBLIC = KEY.public_key()


def text(value: Any) -> str:
    """A part of a token."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def forged(head: Any, payload: Any, key: Any) -> str:
    """A token with any head, signed by a key, or by bytes as HMAC would sign."""
    signed = f"{text(head)}.{text(payload)}"
    if isinstance(key, bytes):
        return f"{signed}.{text(digest(key, signed.encode(), sha256))}"
    return f"{signed}.{text(key.sign(signed.encode()))}"


def lures(front: Front) -> dict[str, str]:
    """By what is tried the token that tries it; all say what a good one says."""
    other = Ed25519PrivateKey.generate()
    raw = other.public_key().public_bytes_raw()
    shown = {"kty": "OKP", "crv": "Ed25519", "x": text(raw)}
    good, said = {"alg": "EdDSA", "kid": kid(front)}, claims(front)
    pem = PUBLIC.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    jwk = json.dumps(front.gateway.tokens.keys.jwks()).encode()
    heads = {
        "a key of its own": {**good, "jwk": shown},
        "an address of keys": {**good, "jku": "https://evil.example/jwks.json"},
        "an address of a certificate": {**good, "x5u": "https://evil.example/c.pem"},
        "a certificate": {**good, "x5c": ["MIIB"]},
        "no name of a key": {"alg": "EdDSA"},
        "a path": {**good, "kid": "../../../../dev/null"},
        "SQL": {**good, "kid": "x' UNION SELECT 'k'--"},
        "a list": {**good, "kid": [kid(front)]},
        "a number": {**good, "kid": 1},
        "nothing": {**good, "kid": None},
        "an object": {**good, "kid": {"$ne": ""}},
        "too long a name": {**good, "kid": "k" * 1_000},
    }
    tokens = {name: forged(head, said, other) for name, head in heads.items()}
    for name, secret in (("PEM", pem), ("JWK", jwk), ("empty", b"")):
        for algorithm in ("HS256", "hs256", "none", "EdDSA"):
            head = {**good, "alg": algorithm}
            tokens[f"{algorithm} by {name}"] = forged(head, said, secret)
    tokens |= {
        "what must be understood": forged(
            {**good, "crit": ["exp"], "exp": 1}, said, KEY
        ),
        "another algorithm of its key": forged({**good, "alg": "ES256"}, said, KEY),
        "None": forged({**good, "alg": None}, said, KEY),
        "brackets alone": f"{text(b'[' * 1_400)}.e30.e30",
        "brackets in the claims": forged(good, b"[" * 1_000, other),
        "no object": forged([good], said, KEY),
        "four parts": f"{forged(good, said, KEY)}.e30",
        "two in one": f"{forged(good, said, KEY)} {forged(good, said, KEY)}",
    }
    return tokens


async def test_a_head_that_lures_is_401(front: Front) -> None:
    for name, token in lures(front).items():
        answer = await ask(front, token)
        assert answer.status_code == 401, name
        check(answer, 401, "invalid-token")
    good = forged({"alg": "EdDSA", "kid": kid(front)}, claims(front), KEY)
    assert (await ask(front, good)).status_code == 200  # what forges is right


@pytest.mark.parametrize("method", ["TRACE", "TRACK", "CONNECT", "DEBUG", "PROPFIND"])
async def test_trace_is_answered_to_nobody(front: Front, method: str) -> None:
    answer = await front.http.request(method, "/things/A", headers={"X-Secret": "s3"})
    check(answer, 405, "method-not-allowed")
    assert "s3" not in answer.text
