"""Users over HTTP: the routes of the contract, in process, on a real database."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from starlette.requests import Request

from bus.kit.addressing import new_id
from serve_app.app import UserSessions
from serve_app.kit.clients import client_of
from serve_app.kit.gateway import Gateway
from serve_app.kit.problems import Problem
from serve_app.users.bodies import parts_of
from tests.users.edge import ADA, Shop
from tests.users.persons import EMAIL, PASSWORD, mailed_code, until_some

HOUSE = {
    "name": "Ada Lovelace",
    "line1": "12 St James's Square",
    "city": "London",
    "postal_code": "SW1Y 4JH",
    "country": "GB",
}


async def test_a_person_registers_verifies_and_signs_in(web: Shop) -> None:
    async with web("messaging") as w:
        made = await w.call("POST /auth/register", 201, ADA)
        assert w.headers["location"] == "/users/profile"
        assert (made["token_type"], made["expires_in"]) == ("Bearer", 600)
        assert made["user"]["role"] == "CUSTOMER"
        code = await mailed_code(w.shop)
        proof = {"email": EMAIL.upper(), "code": code}
        await w.call("POST /auth/verify-email", 204, proof)
        login = {"email": EMAIL, "password": PASSWORD}
        session = await w.call("POST /auth/login", 200, login)
        profile = await w.call("GET /users/profile", 200, None, session["access_token"])
        assert profile == {**made["user"], **profile}
        assert set(profile) == {
            *("id", "email", "email_verified", "first_name", "last_name", "role"),
            *("status", "phone", "locale", "version", "created_at", "updated_at"),
        }
        assert profile["email_verified"] is True
        assert profile["created_at"].endswith("Z")


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"role": "ADMIN"}, "role", "unknown-field"),
        ({"email": "no address"}, "email", "invalid"),
        ({"first_name": " "}, "first_name", "malformed"),
        ({"first_name": 7}, "first_name", "string-type"),
        ({"password": "p\x00ssword"}, "password", "invalid"),
    ],
)
async def test_a_bad_registration_makes_nothing(
    web: Shop, change: dict[str, Any], field: str, code: str
) -> None:
    async with web() as w:
        problem = await w.call("POST /auth/register", 422, {**ADA, **change})
        assert problem["code"] == "invalid-request"
        assert [(e["field"], e["code"]) for e in problem["errors"]] == [(field, code)]
        assert await w.shop.rows("users", "SELECT FROM users") == []


async def test_taken_addresses_and_weak_passwords_are_told(web: Shop) -> None:
    async with web() as w:
        await w.call("POST /auth/register", 201, ADA)
        again = {**ADA, "email": "ADA@Example.com"}
        assert await w.code("POST /auth/register", 409, again) == "email-taken"
        weak = {**ADA, "email": "bob@example.com", "password": "password1"}
        problem = await w.call("POST /auth/register", 422, weak)
        assert problem["code"] == "weak-password"
        assert [e["code"] for e in problem["errors"]] == ["breached"]


async def test_login_says_no_alike_and_locks_out_with_a_time(web: Shop) -> None:
    async with web() as w:
        await w.call("POST /auth/register", 201, ADA)
        wrong = {"email": EMAIL, "password": "wrong"}
        unknown = {"email": "bob@example.com", "password": "wrong"}
        for _ in range(10):
            first = await w.call("POST /auth/login", 401, wrong)
            second = await w.call("POST /auth/login", 401, unknown)
            del first["request_id"], second["request_id"]
            assert first == second
            assert first["code"] == "invalid-credentials"
        for body in (wrong, unknown):
            assert await w.code("POST /auth/login", 429, body) == "too-many-tries"
            assert 800 < int(w.headers["retry-after"]) <= 900


async def test_tokens_rotate_and_a_used_one_ends_the_session(web: Shop) -> None:
    async with web() as w:
        old = (await w.call("POST /auth/register", 201, ADA))["refresh_token"]
        session = await w.call("POST /auth/refresh", 200, {"refresh_token": old})
        newer = {"refresh_token": session["refresh_token"]}
        session = await w.call("POST /auth/refresh", 200, newer)
        access = session["access_token"]
        await w.call("GET /users/profile", 200, None, access)
        used = {"refresh_token": old}
        assert await w.code("POST /auth/refresh", 401, used) == "token-reused"
        newest = {"refresh_token": session["refresh_token"]}
        assert await w.code("POST /auth/refresh", 401, newest) == "invalid-token"
        junk = {"refresh_token": "not.a.token"}
        assert await w.code("POST /auth/refresh", 401, junk) == "invalid-token"
        await asyncio.sleep(1)
        code = await w.code("GET /users/profile", 401, None, access)
        assert code == "token-revoked"


async def test_logout_ends_its_own_session_within_a_second(web: Shop) -> None:
    async with web() as w:
        first = await w.call("POST /auth/register", 201, ADA)
        login = {"email": EMAIL, "password": PASSWORD}
        second = await w.call("POST /auth/login", 200, login)
        await w.call("POST /auth/logout", 401, None)
        await w.call("POST /auth/logout", 204, None, first["access_token"])
        await asyncio.sleep(1)
        code = await w.code("GET /users/profile", 401, None, first["access_token"])
        assert code == "token-revoked"
        ended = {"refresh_token": first["refresh_token"]}
        assert await w.code("POST /auth/refresh", 401, ended) == "invalid-token"
        await w.call("GET /users/profile", 200, None, second["access_token"])
        kept = {"refresh_token": second["refresh_token"]}
        third = await w.call("POST /auth/refresh", 200, kept)
        await w.call("POST /auth/logout-all", 204, None, third["access_token"])
        await asyncio.sleep(1)
        await w.call("GET /users/profile", 401, None, third["access_token"])
        kept = {"refresh_token": third["refresh_token"]}
        await w.call("POST /auth/refresh", 401, kept)


async def test_an_ended_session_is_known_to_a_replica_that_starts_later(
    web: Shop,
) -> None:
    async with web() as w:
        first = await w.call("POST /auth/register", 201, ADA)
        login = {"email": EMAIL, "password": PASSWORD}
        second = await w.call("POST /auth/login", 200, login)
        await w.call("POST /auth/logout", 204, None, first["access_token"])
        sessions = UserSessions(w.shop.asker)
        late = Gateway.of(w.gateway.settings, w.shop.asker, sessions)
        for confirmed in (False, True):  # without its list it asks for each token
            if confirmed:
                await late.epochs.confirm()
            with pytest.raises(Problem, match="token-revoked"):
                await late.epochs.check(late.tokens.verify(first["access_token"]))
            await late.epochs.check(late.tokens.verify(second["access_token"]))


async def test_a_changed_password_ends_the_other_sessions_within_a_second(
    web: Shop,
) -> None:
    async with web("messaging") as w:
        other = await w.call("POST /auth/register", 201, ADA)
        login = {"email": EMAIL, "password": PASSWORD}
        own = await w.call("POST /auth/login", 200, login)
        change = {"current_password": PASSWORD, "new_password": "grey umbrellas 11"}
        await w.call("POST /auth/change-password", 204, change, own["access_token"])
        await asyncio.sleep(1)
        await w.call("GET /users/profile", 200, None, own["access_token"])
        code = await w.code("GET /users/profile", 401, None, other["access_token"])
        assert code == "token-revoked"
        ended = {"refresh_token": other["refresh_token"]}
        assert await w.code("POST /auth/refresh", 401, ended) == "invalid-token"
        kept = {"refresh_token": own["refresh_token"]}
        await w.call("POST /auth/refresh", 200, kept)


async def test_forgotten_and_changed_passwords(web: Shop) -> None:
    async with web("messaging") as w:
        session = await w.call("POST /auth/register", 201, ADA)
        await mailed_code(w.shop)
        for email in (EMAIL, "nobody@example.com"):
            await w.call("POST /auth/forgot-password", 202, {"email": email})
            await w.call("POST /auth/resend-code", 202, {"email": email})
        await until_some(w.shop, "SELECT FROM handled WHERE state = 2", 3)
        wrong = {"email": EMAIL, "code": "000000", "new_password": "grey umbrellas 11"}
        assert await w.code("POST /auth/reset-password", 422, wrong) == "invalid-code"
        change = {"current_password": "wrong", "new_password": "grey umbrellas 11"}
        token = session["access_token"]
        code = await w.code("POST /auth/change-password", 401, change, token)
        assert code == "invalid-credentials"
        change = {"current_password": PASSWORD, "new_password": "grey umbrellas 11"}
        await w.call("POST /auth/change-password", 204, change, token)
        body = {"refresh_token": session["refresh_token"]}
        await w.call("POST /auth/refresh", 200, body)


async def test_the_profile_is_edited_by_version(web: Shop) -> None:
    async with web() as w:
        token = (await w.call("POST /auth/register", 201, ADA))["access_token"]
        await w.call("GET /users/profile", 200, None, token)
        tag = w.headers["etag"]
        body = {"first_name": "Augusta", "last_name": "King", "phone": "+442071234567"}
        put = "PUT /users/profile"
        profile = await w.call(put, 200, body, token, **{"If-Match": tag})
        assert (profile["first_name"], profile["version"]) == ("Augusta", 2)
        code = await w.code(put, 412, body, token, **{"If-Match": tag})
        assert code == "version-mismatch"
        await w.call(put, 422, {**body, "role": "ADMIN"}, token)
        await w.call(put, 422, {**body, "phone": "12"}, token)
        await w.call(put, 401, body)


async def test_an_address_is_added_once_by_its_key_and_edited(web: Shop) -> None:
    async with web() as w:
        token = (await w.call("POST /auth/register", 201, ADA))["access_token"]
        key = {"Idempotency-Key": str(uuid4())}
        post = "POST /users/addresses"
        entry = await w.call(post, 201, HOUSE, token, **key)
        place = f"/users/addresses/{entry['id']}"
        assert w.headers["location"] == place
        assert (entry["default_shipping"], entry["default_billing"]) == (True, True)
        assert await w.call(post, 201, HOUSE, token, **key) == entry
        other = {**HOUSE, "city": "Paris"}
        assert await w.code(post, 422, other, token, **key) == "idempotency-key-reused"
        listed = await w.call("GET /users/addresses", 200, None, token)
        assert listed == {"items": [entry], "next_cursor": None}
        changed = await w.call(f"PUT {place}", 200, other, token)
        assert (changed["city"], changed["version"]) == ("Paris", 2)
        await w.call(f"PUT {place}", 422, {**HOUSE, "country": "XX"}, token)
        await w.call(f"DELETE {place}", 204, None, token)
        assert await w.code(f"DELETE {place}", 404, None, token) == "not-found"


async def test_only_administrators_change_roles_and_see_people(web: Shop) -> None:
    async with web() as w:
        ada = await w.call("POST /auth/register", 201, ADA)
        place = f"/users/{ada['user']['id']}"
        role, status = {"role": "SELLER"}, {"status": "BLOCKED"}
        for line, body in (
            ("GET /users", None),
            (f"PUT {place}/role", role),
            (f"PUT {place}/status", status),
        ):
            token = ada["access_token"]
            assert await w.code(line, 403, body, token) == "forbidden"
            assert await w.code(line, 401, body) == "authentication-required"
        admin = await w.admin()
        seller = await w.call(f"PUT {place}/role", 200, role, admin)
        assert (seller["role"], seller["version"]) == ("SELLER", 2)
        await asyncio.sleep(1)
        code = await w.code("GET /users/profile", 401, None, ada["access_token"])
        assert code == "token-revoked"
        swap = {"refresh_token": ada["refresh_token"]}
        session = await w.call("POST /auth/refresh", 200, swap)
        assert session["user"]["role"] == "SELLER"
        await w.call("GET /users/profile", 200, None, session["access_token"])
        root = (await w.call("GET /users?role=ADMIN", 200, None, admin))["items"][0]
        code = await w.code(f"PUT /users/{root['id']}/role", 409, role, admin)
        assert code == "own-account"
        await w.call(f"PUT {place}/role", 422, {"role": "KING"}, admin)
        blocked = await w.call(f"PUT {place}/status", 200, status, admin)
        assert blocked["status"] == "BLOCKED"
        login = {"email": EMAIL, "password": PASSWORD}
        assert await w.code("POST /auth/login", 403, login) == "account-blocked"
        page = await w.call("GET /users?limit=1&role=SELLER", 200, None, admin)
        assert [user["email"] for user in page["items"]] == [EMAIL]
        first = await w.call("GET /users?limit=1", 200, None, admin)
        cursor = first["next_cursor"]
        rest = await w.call(f"GET /users?limit=1&cursor={cursor}", 200, None, admin)
        assert rest["items"][0] == blocked
        await w.call("GET /users?role=KING", 422, None, admin)
        await w.call(f"PUT /users/{uuid4()}/role", 404, role, admin)


async def test_the_links_lead_to_pages_whose_script_the_policy_lets_run(
    web: Shop,
) -> None:
    async with web() as w:
        for path in ("/auth/verify-email", "/auth/reset-password"):
            answer = await w.http.get(path)
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/html")
            assert "script-src 'sha256-" in answer.headers["content-security-policy"]


def test_a_refresh_token_has_one_form() -> None:
    session_id = new_id()
    assert parts_of(f"{session_id}.{'x' * 43}") == (session_id, "x" * 43)
    for token in ("", f"{session_id}.", f"{session_id}.{'x' * 44}", "x" * 80):
        assert parts_of(token) is None


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        ("203.0.113.7", ["198.51.100.9"], "203.0.113.7"),
        ("127.0.0.1", ["198.51.100.9"], "198.51.100.9"),
        ("127.0.0.1", ["1.2.3.4, 198.51.100.9"], "127.0.0.1"),
        ("127.0.0.1", ["1.2.3.4", "198.51.100.9"], "127.0.0.1"),
        ("::1", ["2001:db8:1:2:3:4:5:6"], "2001:db8:1:2::"),
        ("127.0.0.1", ["nonsense"], "127.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", [], "2001:db8:1:2::"),
    ],
)
def test_only_our_own_proxy_says_where_a_request_came_from(
    peer: str, forwarded: list[str], client: str
) -> None:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    scope = {"type": "http", "client": (peer, 1), "headers": headers}
    assert client_of(Request(scope)) == client
