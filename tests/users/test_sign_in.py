"""Signing in with an outside issuer: one on loopback, that can also lie."""

import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from actors.users.issuer import fetching, keys
from actors.users.pepper import Attempt, Seal
from bus.kit.addressing import new_id
from tests.users.edge import ADA, Shop
from tests.users.persons import EMAIL, PASSWORD
from tests.users.small_issuer import (
    CLIENT,
    COOKIE,
    Key,
    SmallIssuer,
    begin,
    by,
    by_public_key,
    callback,
    finish,
    sign_in,
    unsigned,
)

NOBODY = "SELECT FROM users"


async def test_a_stranger_gets_an_account_and_comes_back_to_it(signing: Shop) -> None:
    async with signing() as (w, issuer):
        await w.call("GET /auth/google/sign", 302)
        location = w.headers["location"]
        assert location.startswith(f"{issuer.url}/authorize?theme=dark&response_type=")
        kept = w.headers["set-cookie"].lower()
        assert "httponly" in kept and "samesite=lax" in kept
        assert "path=/auth/google;" in kept and "max-age=600" in kept
        assert "secure" not in kept  # this shop is on loopback, without TLS
        sent = parse_qs(urlsplit(location).query)
        assert sent["redirect_uri"] == ["http://127.0.0.1:3000/auth/google/callback"]
        for secret in (sent["state"][0], sent["nonce"][0]):
            assert secret not in kept  # sealed

        _, cookie = location, w.http.cookies[COOKIE]
        brought = issuer.consent(location)
        session = await finish(w, brought, cookie)
        assert w.headers["cache-control"] == "no-store"
        assert f'{COOKIE}=""; ' in w.headers["set-cookie"]
        user = session["user"]
        assert (user["email"], user["email_verified"]) == ("ada@example.com", True)
        assert (user["first_name"], user["last_name"]) == ("Ada", "Lovelace")
        assert (user["role"], user["locale"]) == ("CUSTOMER", "en-GB")
        token = session["access_token"]
        assert (await w.call("GET /users/profile", 200, None, token)) == user
        refresh = {"refresh_token": session["refresh_token"]}
        assert (await w.call("POST /auth/refresh", 200, refresh))["user"] == user

        replayed = await finish(w, brought, cookie, 422)
        assert replayed["code"] == "invalid-state"
        assert issuer.asked.count("POST /token") == 1
        assert (await sign_in(w, issuer))["user"] == user
        types = [event["type"] for event in await w.shop.events("users")]
        assert types == ["users.user_registered.v1", "users.email_verified.v1"]
        login = {"email": EMAIL, "password": PASSWORD}
        assert await w.code("POST /auth/login", 401, login) == "invalid-credentials"
        change = {"current_password": PASSWORD, "new_password": "grey umbrellas 11"}
        code = await w.code("POST /auth/change-password", 401, change, token)
        assert code == "invalid-credentials"
        assert await w.code("POST /auth/register", 409, ADA) == "email-taken"


async def test_an_answer_that_this_browser_did_not_ask_for_is_refused(
    signing: Shop,
) -> None:
    async with signing() as (w, issuer):
        location, cookie = await begin(w)
        others, other_cookie = await begin(w)
        brought, other = issuer.consent(location), issuer.consent(others)
        attempt = Seal("pepper").open(cookie)
        assert attempt is not None
        late = Attempt(
            state=attempt.state,
            nonce=attempt.nonce,
            verifier=attempt.verifier,
            expires_at=time.time() - 1,
        )
        strange = {**brought, "state": f"{new_id()}.{'x' * 43}"}
        for given, kept in (
            (brought, ""),
            (brought, other_cookie),
            (other, cookie),
            (strange, cookie),
            ({**brought, "state": "nonsense"}, cookie),
            (brought, cookie[:-4] + "AAA="),
            (brought, "nonsense"),
            (brought, "x" * 3_000),
            (brought, Seal("pepper").seal(late)),
            (brought, Seal("another shop").seal(attempt)),
        ):
            problem = await finish(w, given, kept, 422)
            assert problem["code"] == "invalid-state"
        problem = await finish(w, {"state": brought["state"]}, cookie, 422)
        assert [each["field"] for each in problem["errors"]] == ["code"]
        refused = {"error": "access_denied", "state": brought["state"]}
        assert (await finish(w, refused, cookie, 401))["code"] == "sign-in-refused"
        assert "POST /token" not in issuer.asked
        assert await w.shop.rows("users", NOBODY) == []
        await finish(w, brought, cookie)  # nobody has used it up


async def test_a_sealed_sign_in_outlives_the_first_encryption_key() -> None:
    attempt = Attempt(state="s", nonce="n", verifier="v", expires_at=1.5)
    sealed = Seal("old").seal(attempt)
    assert Seal("new, old").open(sealed) == attempt
    assert Seal("new").open(sealed) is None


def _wrong(issuer: SmallIssuer) -> dict[str, tuple[dict[str, Any], Any]]:
    """Claims and signatures that must not be believed."""
    now = int(time.time())
    stranger = Key("first")
    return {
        "made for another": ({"aud": "another client"}, None),
        "made for several": ({"aud": [CLIENT, "another"]}, None),
        "used by another": ({"aud": [CLIENT, "another"], "azp": "another"}, None),
        "for another party": ({"azp": "another"}, None),
        "of another issuer": ({"iss": "https://accounts.example"}, None),
        "expired": ({"exp": now - 1}, None),
        "without an end": ({"exp": None}, None),
        "made long ago": ({"iat": now - 3_600}, None),
        "made tomorrow": ({"iat": now + 3_600}, None),
        "made at no time": ({"iat": None}, None),
        "not yet good": ({"nbf": now + 3_600}, None),
        "of another sign-in": ({"nonce": "another"}, None),
        "of no sign-in": ({"nonce": None}, None),
        "about nobody": ({"sub": ""}, None),
        "about a number": ({"sub": 1815}, None),
        "about too much": ({"sub": "x" * 300}, None),
        "not signed": ({}, unsigned),
        "with a MAC": ({}, by_public_key(issuer.key)),
        "by another key of its name": ({}, by(stranger, "first")),
        "by a key that is not known": ({}, by(stranger, "second")),
        "by an expired key": ({}, by(issuer.key, "expired")),
        "by a key for encryption": ({}, by(issuer.key, "encrypts")),
        "no token": ({}, lambda _: "no token"),
        "too long": ({}, lambda claims: issuer.signed({**claims, "x": "x" * 20_000})),
    }


async def test_a_token_that_does_not_prove_who_it_is_about_lets_nobody_in(
    signing: Shop,
) -> None:
    async with signing() as (w, issuer):
        expired = {**issuer.key.shown, "kid": "expired", "exp": time.time() - 1}
        issuer.keys += [expired, {**issuer.key.shown, "kid": "encrypts", "use": "enc"}]
        for name, (claims, sign) in _wrong(issuer).items():
            issuer.claims, issuer.sign = claims, sign or issuer.signed
            problem = await sign_in(w, issuer, 401)
            assert problem["code"] == "sign-in-refused", name
        issuer.claims, issuer.sign = {}, issuer.signed
        location, cookie = await begin(w)
        brought = issuer.consent(location)
        mixed_up = {**brought, "iss": "https://accounts.example"}
        problem = await finish(w, mixed_up, cookie, 401)
        assert problem["code"] == "sign-in-refused"
        location, cookie = await begin(w)
        spent = {**issuer.consent(location), "code": "spent"}
        problem = await finish(w, spent, cookie, 401)
        assert problem["code"] == "sign-in-refused"
        assert await w.shop.rows("users", NOBODY) == []
        assert await w.shop.events("users") == []

        issuer.claims = {"aud": [CLIENT, "another"], "azp": CLIENT}
        await sign_in(w, issuer)
        issuer.claims, issuer.sign = {}, by(issuer.key, None)
        issuer.keys = [issuer.key.shown]  # one key alone needs no name
        await sign_in(w, issuer)


async def test_a_turned_key_is_learned_and_an_unknown_one_asked_for_once(
    signing: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with signing(shards=1) as (w, issuer):  # each shard has keys of its own
        issuer.keys_age_seconds = 600
        await sign_in(w, issuer)
        await sign_in(w, issuer)
        assert issuer.asked.count("GET /keys") == 1
        issuer.turn_key("second")
        await sign_in(w, issuer, 401)  # read a moment ago: not again so soon
        assert issuer.asked.count("GET /keys") == 1
        monkeypatch.setattr(keys, "REFETCH_SECONDS_MIN", 0)
        await sign_in(w, issuer)
        assert issuer.asked.count("GET /keys") == 2
        issuer.sign = by(Key("first"), "first")
        await sign_in(w, issuer, 401)  # the set holds it no more
        assert issuer.asked.count("GET /keys") == 3


SAFE = {"token_endpoint", "jwks_uri", "authorization_endpoint"}


async def test_an_issuer_in_trouble_is_told_from_a_refusal(
    signing: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with signing() as (w, issuer):
        sign = "GET /auth/google/sign"
        for fault in ("refuse", "dead", "garbage", "odd", "redirect", "long"):
            issuer.fault = fault
            assert await w.code(sign, 503) == "issuer-unavailable", fault
            assert int(w.headers["retry-after"]) > 0
        issuer.fault = "silent"
        with monkeypatch.context() as hurried:
            hurried.setattr(fetching, "CALL_SECONDS_MAX", 0.1)
            assert await w.code(sign, 504) == "issuer-timeout"
        issuer.fault = ""
        unsafe = {name: {name: "http://10.0.0.1/x"} for name in SAFE}
        for described in (
            {"issuer": "https://accounts.example"},
            {"token_endpoint": None},
            {"jwks_uri": "https://user@accounts.example/"},
            {"jwks_uri": "file:///etc/passwd"},
            *unsafe.values(),
        ):
            issuer.described = described
            assert await w.code(sign, 503) == "issuer-unavailable", described
        issuer.described = {}
        for only in ("POST /token", "GET /keys"):
            for fault in ("refuse", "redirect"):
                location, cookie = await begin(w)
                issuer.fault, issuer.only = fault, only
                problem = await finish(w, issuer.consent(location), cookie, 503)
                assert problem["code"] == "issuer-unavailable", (only, fault)
                issuer.fault = issuer.only = ""
        location, cookie = await begin(w)
        issuer.fault, issuer.only = "silent", "POST /token"
        with monkeypatch.context() as hurried:
            hurried.setattr(fetching, "CALL_SECONDS_MAX", 0.1)
            problem = await finish(w, issuer.consent(location), cookie, 504)
        assert problem["code"] == "issuer-timeout"
        issuer.fault = issuer.only = ""
        assert await w.shop.rows("users", NOBODY) == []
        await sign_in(w, issuer)


async def test_without_an_issuer_the_routes_say_so(web: Shop) -> None:
    async with web() as w:
        code = await w.code("GET /auth/google/sign", 404)
        assert code == "sign-in-not-configured"
        brought = {"code": "c", "state": f"{new_id()}.{'x' * 43}"}
        headers = {"Cookie": f"{COOKIE}=x"}
        code = await w.code(f"GET {callback(brought)}", 404, **headers)
        assert code == "sign-in-not-configured"


async def test_over_tls_the_cookie_is_the_hosts_own(signing: Shop) -> None:
    async with signing(public_url="https://shop.example") as (w, _):
        await w.call("GET /auth/google/sign", 302)
        kept = w.headers["set-cookie"]
        assert kept.startswith("__Host-souk_sign_in=")
        assert "; Path=/;" in kept and "; Secure" in kept
        sent = parse_qs(urlsplit(w.headers["location"]).query)
        assert sent["redirect_uri"] == ["https://shop.example/auth/google/callback"]
