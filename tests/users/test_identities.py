"""Whose an identity at an issuer is: accounts made, linked and taken over."""

import asyncio

from actors.users.people import new_session
from bus.kit.addressing import new_id
from bus.users import ChangeStatus, EnterByIdentity, NewPerson, Status, VerifyEmail
from tests.users.edge import ADA, Shop
from tests.users.persons import EMAIL, PASSWORD, mailed_code
from tests.users.small_issuer import COOKIE, begin, callback, finish, sign_in

NOBODY = "SELECT FROM users"


async def test_an_account_of_the_same_address_is_linked(signing: Shop) -> None:
    async with signing("messaging") as (w, issuer):
        own = await w.call("POST /auth/register", 201, ADA)
        user_id = own["user"]["id"]
        message = VerifyEmail(user_id=user_id, code=await mailed_code(w.shop))
        await w.shop.ask(message)
        issuer.person["email_verified"] = False
        problem = await sign_in(w, issuer, 403)
        assert problem["code"] == "email-not-verified"
        assert await w.shop.rows("users", "SELECT FROM identities") == []

        issuer.person["email_verified"] = "true"  # some say it so
        linked = await sign_in(w, issuer)
        assert linked["user"]["id"] == user_id
        await w.call("POST /auth/login", 200, {"email": EMAIL, "password": PASSWORD})
        await w.call("GET /users/profile", 200, None, own["access_token"])

        issuer.person["email"] = "elsewhere@example.com"
        assert (await sign_in(w, issuer))["user"] == linked["user"]
        await w.shop.ask(
            ChangeStatus(user_id=user_id, status=Status.BLOCKED, actor_id=new_id())
        )
        assert (await sign_in(w, issuer, 403))["code"] == "account-blocked"
        (row,) = await w.shop.rows("users", "SELECT subject FROM identities")
        assert row["subject"] == "1815"


async def test_who_took_an_address_first_does_not_keep_the_account(
    signing: Shop,
) -> None:
    async with signing() as (w, issuer):
        taken = await w.call("POST /auth/register", 201, ADA)
        session = await sign_in(w, issuer)
        assert session["user"]["id"] == taken["user"]["id"]
        assert session["user"]["email_verified"] is True
        login = {"email": EMAIL, "password": PASSWORD}
        assert await w.code("POST /auth/login", 401, login) == "invalid-credentials"
        kept = {"refresh_token": taken["refresh_token"]}
        assert await w.code("POST /auth/refresh", 401, kept) == "invalid-token"
        await asyncio.sleep(1)
        await w.call("GET /users/profile", 401, None, taken["access_token"])
        await w.call("GET /users/profile", 200, None, session["access_token"])
        types = [event["type"] for event in await w.shop.events("users")]
        assert types == [
            "users.user_registered.v1",
            "users.email_verified.v1",
            "users.sessions_revoked.v1",
        ]


async def test_many_callbacks_at_once_make_one_account(signing: Shop) -> None:
    async with signing() as (w, issuer):
        begun = [await begin(w) for _ in range(4)]
        ends = await asyncio.gather(
            *(finish(w, issuer.consent(location), cookie) for location, cookie in begun)
        )
        assert len({end["user"]["id"] for end in ends}) == 1
        assert len({end["refresh_token"] for end in ends}) == 4
        assert len(await w.shop.rows("users", NOBODY)) == 1
        claims = "SELECT kind FROM claims ORDER BY kind"
        kinds = [row["kind"] for row in await w.shop.rows("users", claims)]
        assert kinds == ["email", "identity"]

        location, cookie = await begin(w)
        brought = issuer.consent(location)
        headers = {"Cookie": f"{COOKIE}={cookie}"}
        answers = await asyncio.gather(
            *(w.http.get(callback(brought), headers=headers) for _ in range(3))
        )
        assert sorted(each.status_code for each in answers) == [200, 422, 422]


async def test_an_entry_that_comes_twice_opens_one_session(shop: Shop) -> None:
    async with shop("users", shards=2) as s:
        user_id = new_id()
        person = NewPerson(
            email=EMAIL, first_name="Ada", last_name="Lovelace", locale="en"
        )
        enter = EnterByIdentity(
            user_id=user_id,
            issuer="https://issuer.example",
            subject="1",
            person=person,
            start=new_session(user_id, "203.0.113.7"),
        )
        first, again = await s.ask(enter), await s.ask(enter)
        assert (first.user.id, first.refresh_token) == (user_id, again.refresh_token)
        assert len(await s.rows("users", "SELECT FROM sessions")) == 1
        assert len(await s.events("users")) == 2
