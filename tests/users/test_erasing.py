"""Leaving for good: at once, once, and never so that nobody can run the shop."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from actors.users.people import new_session
from bus.kit.addressing import new_id
from bus.kit.values import Done
from bus.users import (
    AddAddress,
    ChangeRole,
    ChangeStatus,
    CreateAccount,
    EnterByIdentity,
    EraseUser,
    GetContact,
    GetStanding,
    GetUser,
    ListAddresses,
    ListIdentities,
    ListRaisedEpochs,
    ListSessions,
    ListUsers,
    NewPerson,
    RegisterUser,
    Role,
    SignedIn,
    Status,
)
from persistence.users import ERASED_EPOCH
from tests.users.persons import EMAIL, HOME, PASSWORD, log_in, refused, register
from tests.users.small_issuer import sign_in
from tests.users.test_addresses import HOUSE

Shop = Callable[..., Any]
OLDER = (
    """UPDATE sessions SET created_at = now() - interval '61 minutes' WHERE id = $1"""
)
ROWS = """SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM sessions)
  + (SELECT count(*) FROM addresses) + (SELECT count(*) FROM claims) AS n"""


def leaves(person: SignedIn) -> EraseUser:
    return EraseUser(user_id=person.user.id, session_id=person.session_id)


async def administrator(s: Any, email: str) -> SignedIn:
    """Somebody who may run the shop, signed in."""
    account = CreateAccount(
        user_id=new_id(),
        email=email,
        password=PASSWORD,
        first_name="Root",
        last_name="Admin",
        role=Role.ADMIN,
    )
    await s.ask(account)
    return await log_in(s, email=email)


async def rows(s: Any) -> int:
    """How many rows there are of people and what is theirs."""
    count: int = (await s.rows("users", ROWS))[0]["n"]
    return count


async def test_who_leaves_is_nobody_at_once_and_the_address_is_free(shop: Shop) -> None:
    async with shop("users") as s:
        since = datetime.now(UTC) - timedelta(minutes=1)
        ada = await register(s)
        user_id = ada.user.id
        entry = AddAddress(user_id=user_id, address_id=new_id(user_id), address=HOUSE)
        await s.ask(entry)
        (seen,) = (await s.ask(ListSessions(user_id=user_id))).items
        assert (seen.id, seen.ended_at) == (ada.session_id, None)
        assert await s.ask(leaves(ada)) == Done()
        assert await s.ask(leaves(ada)) == Done()
        assert await rows(s) == 0
        for query in (
            GetUser(user_id=user_id),
            GetContact(user_id=user_id),
            GetStanding(user_id=user_id, session_id=ada.session_id),
        ):
            assert (await refused(s.ask(query))).code == "not-found"
        assert (await s.ask(ListUsers())).items == ()
        assert (await s.ask(ListAddresses(user_id=user_id))).items == ()
        raised = await s.ask(ListRaisedEpochs(since=since))
        assert raised.epochs == {user_id: ERASED_EPOCH}
        assert (await refused(log_in(s))).code == "invalid-credentials"
        types = [event["type"] for event in await s.events("users")]
        assert types == [
            "users.user_registered.v1",
            "users.sessions_revoked.v1",
            "users.user_erased.v1",
        ]
        again = await register(s)
        assert (again.user.email, again.user.id != user_id) == (EMAIL, True)


async def test_an_account_that_comes_late_is_not_made_for_who_has_left(
    shop: Shop,
) -> None:
    async with shop("users") as s:
        ada = await register(s)
        await s.ask(leaves(ada))
        late = RegisterUser(
            user_id=ada.user.id,
            email=EMAIL,
            password=PASSWORD,
            first_name="Ada",
            last_name="Lovelace",
            client=HOME,
        )
        assert (await refused(s.ask(late))).code == "email-taken"
        assert await rows(s) == 0
        await register(s)


async def test_it_takes_a_session_of_ones_own_that_has_just_begun(shop: Shop) -> None:
    async with shop("users") as s:
        ada, eve = await register(s), await register(s, "eve@example.com")
        before = await rows(s)
        for session_id in (eve.session_id, new_id(ada.user.id)):
            tried = EraseUser(user_id=ada.user.id, session_id=session_id)
            assert (await refused(s.ask(tried))).code == "sign-in-again"
        await s.rows("users", OLDER, ada.session_id)
        assert (await refused(s.ask(leaves(ada)))).code == "sign-in-again"
        assert await rows(s) == before
        assert "users.user_erased.v1" not in {
            event["type"] for event in await s.events("users")
        }
        assert await s.ask(leaves(await log_in(s))) == Done()
        stranger = EraseUser(user_id=new_id(), session_id=eve.session_id)
        assert (await refused(s.ask(stranger))).code == "not-found"


async def test_of_two_administrators_who_leave_at_once_one_has_to_stay(
    shop: Shop,
) -> None:
    async with shop("users", shards=2) as s:
        people = [await administrator(s, f"root{n}@example.com") for n in range(4)]
        ends = await asyncio.gather(
            *(s.ask(leaves(one)) for one in people), return_exceptions=True
        )
        stayed = [end for end in ends if end != Done()]
        assert [getattr(end, "code", end) for end in stayed] == ["last-administrator"]
        left: list[UUID] = [user.id for user in (await s.ask(ListUsers())).items]
        assert len(left) == 1


async def test_who_leaves_takes_no_other_administrator_along(shop: Shop) -> None:
    async with shop("users", shards=2) as s:
        for n in range(6):
            ada = await administrator(s, f"ada{n}@example.com")
            bob = await administrator(s, f"bob{n}@example.com")
            down = ChangeRole(
                user_id=bob.user.id, role=Role.CUSTOMER, actor_id=ada.user.id
            )
            block = ChangeStatus(
                user_id=bob.user.id, status=Status.BLOCKED, actor_id=ada.user.id
            )
            ends = await asyncio.gather(
                s.ask(leaves(ada)),
                s.ask(down if n % 2 else block),
                return_exceptions=True,
            )
            codes = [getattr(end, "code", None) for end in ends]
            assert codes.count("last-administrator") == 1
            active = ListUsers(role=Role.ADMIN, status=Status.ACTIVE)
            assert len((await s.ask(active)).items) == 1
            await s.rows("users", "UPDATE users SET role = 'CUSTOMER'")


async def test_who_signed_in_elsewhere_leaves_and_may_come_back(signing: Shop) -> None:
    async with signing() as (w, issuer):
        first = await sign_in(w, issuer)
        user_id = UUID(first["user"]["id"])
        (known,) = (await w.shop.ask(ListIdentities(user_id=user_id))).items
        assert (known.issuer, known.subject) == (issuer.url, "1815")
        await w.call("DELETE /users/profile", 204, None, first["access_token"])
        assert await rows(w.shop) == 0
        assert await w.shop.rows("users", "SELECT FROM identities") == []
        again = await sign_in(w, issuer)
        assert again["user"]["email"] == first["user"]["email"]
        assert again["user"]["id"] != first["user"]["id"]

        person = NewPerson(
            email="late@example.com", first_name="A", last_name="L", locale="en"
        )
        late = EnterByIdentity(
            user_id=user_id,
            issuer=issuer.url,
            subject="1816",
            person=person,
            start=new_session(user_id, "203.0.113.7"),
        )
        before = await rows(w.shop)
        assert (await refused(w.shop.ask(late))).code == "identity-elsewhere"
        assert await rows(w.shop) == before
