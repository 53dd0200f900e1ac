"""Access tokens: who gets in, and who does not."""

import base64
import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bus.kit.settings import Settings, SettingsError
from serve_app.kit import identity
from serve_app.kit.identity import Tokens
from tests.gateway.fakes import OTHER_SEED, PERSON, SEED, SESSION, Front, Hands
from tests.gateway.test_problems import check

KEY = Ed25519PrivateKey.from_private_bytes(b"s" * 32)


def claims(front: Front, **changed: Any) -> dict[str, Any]:
    """The claims of a good token."""
    now = int(time.time())
    good = {
        "iss": identity.issuer_of(front.gateway.settings),
        "aud": "souk",
        "sub": str(PERSON),
        "iat": now,
        "exp": now + 600,
        "role": "CUSTOMER",
        "epoch": 1,
        "sid": str(SESSION),
    }
    return {name: v for name, v in (good | changed).items() if v is not None}


def kid(front: Front) -> str:
    """The id of the only key."""
    (key,) = front.gateway.tokens.keys.jwks()["keys"]
    return str(key["kid"])


async def ask(front: Front, token: str) -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    return await front.http.get(f"/private/{PERSON}", headers=headers)


async def test_a_good_token_lets_its_person_in(front: Front) -> None:
    answer = await front.http.get(f"/private/{PERSON}", headers=front.bearer())
    assert answer.status_code == 200
    assert answer.json()["sku"] == str(PERSON)


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "http://elsewhere"},
        {"aud": "other"},
        {"aud": ["souk", "other"]},
        {"sub": "17"},
        {"sub": None},
        {"exp": None},
        {"iat": None},
        {"role": None},
        {"role": "ROOT"},
        {"epoch": None},
        {"epoch": "9"},
        {"epoch": True},
        {"sid": None},
        {"sid": "17"},
        {"sid": 17},
        {"iat": int(time.time()) + 900},
        {"nbf": int(time.time()) + 900},
    ],
)
async def test_a_token_with_other_claims_is_401(
    front: Front, changed: dict[str, Any]
) -> None:
    token = jwt.encode(
        claims(front, **changed), KEY, "EdDSA", headers={"kid": kid(front)}
    )
    answer = await ask(front, token)
    check(answer, 401, "invalid-token")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_an_expired_token_is_401_also_when_it_was_seen_before(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = claims(front, exp=int(time.time()) - 1)
    token = jwt.encode(old, KEY, "EdDSA", headers={"kid": kid(front)})
    check(await ask(front, token), 401, "token-expired")
    headers = front.bearer()
    assert (await front.http.get(f"/private/{PERSON}", headers=headers)).is_success
    later = time.time() + 601
    monkeypatch.setattr("serve_app.kit.identity.time.time", lambda: later)
    answer = await front.http.get(f"/private/{PERSON}", headers=headers)
    check(answer, 401, "token-expired")


async def test_a_forged_signature_is_401(front: Front) -> None:
    other = Ed25519PrivateKey.generate()
    token = jwt.encode(claims(front), other, "EdDSA", headers={"kid": kid(front)})
    check(await ask(front, token), 401, "invalid-token")


async def test_a_changed_payload_is_401(front: Front) -> None:
    token = front.gateway.tokens.sign(PERSON, "CUSTOMER", 1, SESSION)
    head, _, signature = token.split(".")
    payload = json.dumps(claims(front, role="ADMIN")).encode()
    body = base64.urlsafe_b64encode(payload).rstrip(b"=").decode()
    check(await ask(front, f"{head}.{body}.{signature}"), 401, "invalid-token")


async def test_no_algorithm_is_401(front: Front) -> None:
    token = jwt.encode(claims(front), "", "none", headers={"kid": kid(front)})
    check(await ask(front, token), 401, "invalid-token")


async def test_the_public_key_as_a_shared_secret_is_401(front: Front) -> None:
    raw = KEY.public_key().public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw
    )
    token = jwt.encode(claims(front), raw, "HS256", headers={"kid": kid(front)})
    check(await ask(front, token), 401, "invalid-token")


async def test_a_key_that_the_token_brings_is_not_used(front: Front) -> None:
    other = Ed25519PrivateKey.generate()
    for headers in ({"kid": "unknown"}, {"jwk": {"kty": "OKP"}}, {}):
        token = jwt.encode(claims(front), other, "EdDSA", headers=headers)
        check(await ask(front, token), 401, "invalid-token")


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer ", "Basic dTpw", "Bearer a.b", "x", "Bearer " + "x" * 3000],
)
async def test_another_authorization_is_401_on_public_routes_too(
    front: Front, header: str
) -> None:
    answer = await front.http.get("/things/A", headers={"Authorization": header})
    check(answer, 401, "invalid-token")


async def test_nobody_signed_in_is_401_with_a_challenge(front: Front) -> None:
    answer = await front.http.get(f"/private/{PERSON}")
    check(answer, 401, "authentication-required")
    assert answer.headers["www-authenticate"] == 'Bearer realm="souk"'


@pytest.mark.parametrize(
    ("method", "path", "role", "status"),
    [
        ("GET", "/things", "CUSTOMER", 403),
        ("GET", "/things", "SELLER", 422),
        ("GET", "/things", "ADMIN", 422),
        ("PUT", "/things/A", "SELLER", 403),
        ("PUT", "/things/A", "ADMIN", 422),
        ("DELETE", "/things/A", "CUSTOMER", 204),
    ],
)
async def test_roles_open_what_they_should(
    front: Front, method: str, path: str, role: str, status: int
) -> None:
    url = path + ("?limit=0" if path == "/things" else "")
    answer = await front.http.request(method, url, headers=front.bearer(role))
    assert answer.status_code == status


async def test_access_is_checked_before_the_body(front: Front) -> None:
    answer = await front.http.put("/things/A", content=b"nonsense")
    check(answer, 401, "authentication-required")


async def test_a_second_key_verifies_while_the_first_signs(
    tmp_path: Path, clock: Hands
) -> None:
    front = Front(tmp_path, clock, jwt_keys=f"{OTHER_SEED},{SEED}")
    await front.gateway.epochs.confirm()
    old = Tokens.of(front.gateway.settings.changed(jwt_keys=SEED))
    token = old.sign(PERSON, "CUSTOMER", 1, SESSION)
    assert (await ask(front, token)).status_code == 200
    assert (await ask(front, front.bearer()["Authorization"][7:])).status_code == 200
    keys = (await front.http.get("/.well-known/jwks.json")).json()["keys"]
    assert len(keys) == 2
    assert all(set(key) == {"kty", "crv", "x", "kid", "use", "alg"} for key in keys)
    await front.http.aclose()


async def test_the_published_keys_verify_our_tokens(front: Front) -> None:
    (key,) = (await front.http.get("/.well-known/jwks.json")).json()["keys"]
    token = front.gateway.tokens.sign(PERSON, "SELLER", 4, SESSION)
    found = jwt.decode(token, jwt.PyJWK(key).key, algorithms=["EdDSA"], audience="souk")
    assert (found["role"], found["epoch"]) == ("SELLER", 4)
    assert found["exp"] - found["iat"] == 600


@pytest.mark.parametrize("keys", ["", "x", "AAAA", f"{SEED},short"])
def test_bad_keys_stop_the_start_with_one_line(tmp_path: Path, keys: str) -> None:
    with pytest.raises(SettingsError, match=r"^SOUK_JWT_KEYS[^\n]*$"):
        Tokens.of(Settings(data_dir=tmp_path, jwt_keys=keys))


async def test_verified_tokens_are_bounded(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "VERIFIED_MAX", 3)
    for epoch in range(5):
        token = front.gateway.tokens.sign(PERSON, "ADMIN", epoch, SESSION)
        front.gateway.tokens.verify(token)
    assert len(front.gateway.tokens._verified) == 3
