"""Accounts: made once, found, changed by their person and by administrators."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from bus.kit.addressing import new_id, slot_of
from bus.kit.refusals import Refusal
from bus.kit.values import Done
from bus.users import (
    ChangeRole,
    ChangeStatus,
    CreateAccount,
    FindAccount,
    FindStaff,
    GetContact,
    GetStanding,
    GetUser,
    ListRaisedEpochs,
    ListUsers,
    LogOut,
    RegisterUser,
    Role,
    SignedIn,
    Status,
    UpdateProfile,
)
from tests.users.persons import (
    EMAIL,
    HOME,
    PASSWORD,
    log_in,
    refresh,
    refused,
    register,
)

Shop = Callable[..., Any]


async def test_a_registered_person_is_a_customer_and_signed_in(shop: Shop) -> None:
    async with shop("users") as s:
        ada = await register(s)
        assert (ada.user.email, ada.user.role, ada.user.status) == (
            EMAIL,
            Role.CUSTOMER,
            Status.ACTIVE,
        )
        assert not ada.user.email_verified
        assert ada.refresh_token.startswith(f"{ada.session_id}.")
        assert await s.ask(GetUser(user_id=ada.user.id)) == ada.user
        types = [event["type"] for event in await s.events("users")]
        assert types == ["users.user_registered.v1"]


async def test_no_password_token_or_address_rests_where_it_should_not(
    shop: Shop,
) -> None:
    async with shop("users") as s:
        ada = await register(s)
        secret = ada.refresh_token.split(".")[1]
        for table in ("users", "sessions", "login_tries", "codes"):
            rows = await s.rows("users", f"SELECT t::text FROM {table} t")
            assert PASSWORD not in str(rows)
            assert secret not in str(rows)
        for table in ("outbox", "handled", "due"):
            rows = await s.rows("users", f"SELECT t::text FROM {table} t")
            assert EMAIL not in str(rows)
            assert "Lovelace" not in str(rows)
        (row,) = await s.rows("users", "SELECT password_hash FROM users")
        assert row["password_hash"].startswith("$2b$04$")


async def test_an_address_has_one_account_whichever_shard_is_asked(shop: Shop) -> None:
    async with shop("users", shards=3) as s:
        ends = await asyncio.gather(
            *(register(s) for _ in range(12)), return_exceptions=True
        )
        made = [end for end in ends if isinstance(end, SignedIn)]
        assert len(made) == 1
        refusals = [end.code for end in ends if isinstance(end, Refusal)]
        assert refusals == ["email-taken"] * 11
        assert len(await s.rows("users", "SELECT FROM users")) == 1
        assert len(await s.rows("users", "SELECT FROM claims")) == 1
        assert len(await s.rows("users", "SELECT FROM sessions")) == 1
        assert len(await s.events("users")) == 1


async def test_a_registration_sent_again_makes_no_second_account(shop: Shop) -> None:
    async with shop("users") as s:
        message = RegisterUser(
            email=EMAIL, password=PASSWORD, first_name="A", last_name="B", client=HOME
        )
        command_id = new_id()
        first = await s.ask(message, id=command_id)
        again = await s.ask(message, id=command_id)
        assert again.user == first.user
        assert again.session_id != first.session_id
        assert len(await s.rows("users", "SELECT FROM users")) == 1
        assert len(await s.events("users")) == 1


async def test_a_weak_password_makes_no_account(shop: Shop) -> None:
    async with shop("users") as s:
        refusal = await refused(register(s, password="lovelace1"))
        assert refusal.code == "weak-password"
        assert [error.code for error in refusal.data.errors] == ["too-similar"]
        assert await s.rows("users", "SELECT FROM users") == []
        assert await s.rows("users", "SELECT FROM claims") == []
        assert await s.events("users") == []


async def test_an_account_for_the_demo_signs_in_and_is_made_once(shop: Shop) -> None:
    async with shop("users") as s:
        message = CreateAccount(
            user_id=new_id(),
            email="sam@example.com",
            password="demo",
            first_name="Sam",
            last_name="Seller",
            role=Role.SELLER,
        )
        assert await s.ask(message) == Done()
        assert await s.ask(message) == Done()
        sam = await log_in(s, "demo", email="sam@example.com")
        assert (sam.user.role, sam.user.email_verified) == (Role.SELLER, True)
        found = await s.ask(FindStaff(role=Role.SELLER))
        assert found.user_ids == (message.user_id,)
        assert await s.rows("users", "SELECT FROM due WHERE name LIKE 'code:%'") == []


async def test_an_unknown_address_has_an_id_that_nobody_has(shop: Shop) -> None:
    async with shop("users", shards=2) as s:
        ada = await register(s)
        known = await s.ask(FindAccount(email=EMAIL))
        assert known.user_id == ada.user.id
        unknown = await s.ask(FindAccount(email="bob@example.com"))
        assert unknown == await s.ask(FindAccount(email="bob@example.com"))
        assert (
            await refused(s.ask(GetUser(user_id=unknown.user_id)))
        ).code == "not-found"


async def test_a_session_routes_like_its_person(shop: Shop) -> None:
    async with shop("users", shards=3) as s:
        for number in range(6):
            person = await register(s, f"person{number}@example.com")
            assert slot_of(person.session_id) == slot_of(person.user.id)
            assert (await refresh(s, person.refresh_token)).user == person.user


async def test_a_profile_is_written_and_an_old_version_is_refused(shop: Shop) -> None:
    async with shop("users") as s:
        ada = await register(s)
        message = UpdateProfile(
            user_id=ada.user.id,
            first_name="Augusta",
            last_name="King",
            phone="+442071234567",
            locale="de",
            expected_version=1,
        )
        assert (await s.ask(message)).version == 2
        assert (await refused(s.ask(message))).code == "version-mismatch"
        contact = await s.ask(GetContact(user_id=ada.user.id))
        assert (contact.first_name, contact.phone, contact.locale) == (
            "Augusta",
            "+442071234567",
            "de",
        )
        assert (await s.ask(GetUser(user_id=ada.user.id))).version == 2


async def test_a_new_role_makes_old_tokens_too_old(shop: Shop) -> None:
    async with shop("users") as s:
        ada = await register(s)
        message = ChangeRole(user_id=ada.user.id, role=Role.SELLER, actor_id=new_id())
        command_id = new_id()
        assert (await s.ask(message, id=command_id)).version == 2
        assert (await s.ask(message, id=command_id)).version == 2
        standing = await s.ask(
            GetStanding(user_id=ada.user.id, session_id=ada.session_id)
        )
        assert (standing.role, standing.epoch) == (Role.SELLER, ada.epoch + 1)
        assert standing.session_lives
        assert (await refresh(s, ada.refresh_token)).epoch == ada.epoch + 1
        told = [(e["type"], e["sequence"], e["data"]) for e in await s.events("users")]
        assert told[1:] == [
            (
                "users.role_changed.v1",
                "2",
                {"user_id": str(ada.user.id), "role": "SELLER"},
            ),
            (
                "users.sessions_revoked.v1",
                "3",
                {
                    "user_id": str(ada.user.id),
                    "epoch": 1,
                    "reason": "role",
                    "session_ids": [],
                },
            ),
        ]


async def test_nobody_changes_their_own_role_or_status(shop: Shop) -> None:
    async with shop("users") as s:
        ada = await register(s)
        own: dict[str, Any] = {"user_id": ada.user.id, "actor_id": ada.user.id}
        role = await refused(s.ask(ChangeRole(role=Role.ADMIN, **own)))
        status = await refused(s.ask(ChangeStatus(status=Status.BLOCKED, **own)))
        assert (role.code, status.code) == ("own-account", "own-account")
        assert await s.ask(GetUser(user_id=ada.user.id)) == ada.user


async def test_two_administrators_who_dismiss_each_other_leave_one(
    shop: Shop,
) -> None:
    async with shop("users", shards=2) as s:
        ids = [_id_of_shard(number) for number in (0, 1)]
        for number, user_id in enumerate(ids):
            account = CreateAccount(
                user_id=user_id,
                email=f"admin{number}@example.com",
                password="demo",
                first_name="A",
                last_name="B",
                role=Role.ADMIN,
            )
            await s.ask(account)
        one, other = ids
        ends = await asyncio.gather(
            s.ask(ChangeRole(user_id=one, role=Role.CUSTOMER, actor_id=other)),
            s.ask(ChangeStatus(user_id=other, status=Status.BLOCKED, actor_id=one)),
            return_exceptions=True,
        )
        (refusal,) = [end for end in ends if isinstance(end, Refusal)]
        assert refusal.code == "last-administrator"
        sql = "SELECT FROM users WHERE role = 'ADMIN' AND status = 'ACTIVE'"
        assert len(await s.rows("users", sql)) == 1


def _id_of_shard(number: int) -> UUID:
    """A new person's id that the shard of this number, of two, owns."""
    while slot_of(user_id := new_id()) % 2 != number:
        pass
    return user_id


async def test_a_blocked_person_is_out_until_let_in_again(shop: Shop) -> None:
    async with shop("users") as s:
        ada = await register(s)
        admin = new_id()
        block = ChangeStatus(user_id=ada.user.id, status=Status.BLOCKED, actor_id=admin)
        await s.ask(block)
        assert (await refused(refresh(s, ada.refresh_token))).code == "invalid-token"
        assert (await refused(log_in(s))).code == "account-blocked"
        assert (await refused(log_in(s, "wrong"))).code == "invalid-credentials"
        await s.ask(
            ChangeStatus(user_id=ada.user.id, status=Status.ACTIVE, actor_id=admin)
        )
        assert (await log_in(s)).epoch == 2


async def test_raised_epochs_are_listed_from_a_moment_on(shop: Shop) -> None:
    async with shop("users", shards=2) as s:
        ada = await register(s)
        await register(s, "bob@example.com")
        long_ago = datetime.now(UTC) - timedelta(hours=1)
        before = await s.ask(ListRaisedEpochs(since=long_ago))
        assert before.epochs == {}
        await s.ask(ChangeRole(user_id=ada.user.id, role=Role.ADMIN, actor_id=new_id()))
        after = await s.ask(ListRaisedEpochs(since=before.as_of))
        assert after.epochs == {ada.user.id: 1}
        assert after.ended_sessions == ()
        await s.ask(LogOut(user_id=ada.user.id, session_id=ada.session_id))
        after = await s.ask(ListRaisedEpochs(since=before.as_of))
        assert after.epochs == {ada.user.id: 1}
        assert after.ended_sessions == (ada.session_id,)
        later = datetime.now(UTC) + timedelta(minutes=1)
        assert (await s.ask(ListRaisedEpochs(since=later))).epochs == {}


async def test_people_are_listed_newest_first_by_page_and_filter(shop: Shop) -> None:
    async with shop("users", shards=2) as s:
        ids = [
            (await register(s, f"p{number}_x@example.com")).user.id
            for number in range(5)
        ]
        newest_first = sorted(ids, reverse=True)
        seen: list[UUID] = []
        cursor = None
        while True:
            page = await s.ask(ListUsers(limit=2, cursor=cursor))
            seen += [user.id for user in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert seen == newest_first
        assert [u.id for u in (await s.ask(ListUsers(search="P3_"))).items] == [ids[3]]
        assert (await s.ask(ListUsers(search="p%"))).items == ()
        assert len((await s.ask(ListUsers(search="lovel"))).items) == 5
        assert (await s.ask(ListUsers(role=Role.ADMIN))).items == ()
        assert (await refused(s.ask(ListUsers(cursor="7")))).code == "invalid-cursor"
