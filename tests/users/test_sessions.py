"""Sessions: opened, carried on by rotating tokens, ended, and locked."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from actors.users import sessions
from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal
from bus.users import (
    ChangePassword,
    ForgetTries,
    GetStanding,
    LogIn,
    LogOut,
    LogOutAll,
    SignedIn,
    VerifyEmail,
)
from tests.users.edge import SETTINGS
from tests.users.persons import (
    ELSEWHERE,
    EMAIL,
    HOME,
    PASSWORD,
    log_in,
    mailed_code,
    refresh,
    refused,
    register,
    until_none,
    until_some,
)

Shop = Callable[..., Any]


async def revoked(s: Any) -> list[tuple[int, str, list[str]]]:
    """Epoch, reason and sessions of each revocation that was told."""
    return [
        (event["data"]["epoch"], event["data"]["reason"], event["data"]["session_ids"])
        for event in await s.events("users")
        if event["type"] == "users.sessions_revoked.v1"
    ]


async def living(s: Any, session: SignedIn) -> bool:
    """Whether the access tokens of a session count."""
    query = GetStanding(user_id=session.user.id, session_id=session.session_id)
    standing = await s.ask(query)
    return bool(standing.session_lives and standing.epoch <= session.epoch)


async def test_the_right_password_opens_a_session_of_its_own(shop: Shop) -> None:
    async with shop("users", shards=2) as s:
        first = await register(s)
        second = await log_in(s)
        assert second.user == first.user
        assert second.session_id != first.session_id
        assert second.refresh_token != first.refresh_token


async def test_wrong_password_and_unknown_address_end_alike(shop: Shop) -> None:
    async with shop("users", shards=2) as s:
        await register(s)
        wrong = await refused(log_in(s, "something else"))
        unknown = await refused(log_in(s, "something else", email="bob@example.com"))
        assert wrong.code == "invalid-credentials"
        assert wrong.data == unknown.data


async def test_failed_tries_lock_that_client_out_and_nobody_else(shop: Shop) -> None:
    async with shop("users", shards=2) as s:
        await register(s)
        for _ in range(sessions.TRIES_MAX):
            refusal = await refused(log_in(s, "wrong", client=ELSEWHERE))
            assert refusal.code == "invalid-credentials"
        locked = await refused(log_in(s, PASSWORD, client=ELSEWHERE))
        assert locked.code == "too-many-tries"
        seconds = locked.data.facts["retry_after_seconds"]
        assert seconds > sessions.TRIES_WINDOW_SECONDS - 60
        assert seconds <= sessions.TRIES_WINDOW_SECONDS
        assert isinstance(await log_in(s), SignedIn)


async def test_an_unknown_address_is_locked_like_a_known_one(shop: Shop) -> None:
    async with shop("users") as s:
        for _ in range(sessions.TRIES_MAX):
            await refused(log_in(s, "wrong", email="nobody@example.com"))
        locked = await refused(log_in(s, "wrong", email="nobody@example.com"))
        assert locked.code == "too-many-tries"


async def test_a_burst_of_tries_does_not_slip_past_the_lock(shop: Shop) -> None:
    async with shop("users") as s:
        ada = await register(s)
        message = LogIn(user_id=ada.user.id, password="wrong", client=ELSEWHERE)
        asks = (refused(s.ask(message)) for _ in range(3 * sessions.TRIES_MAX))
        codes = [refusal.code for refusal in await asyncio.gather(*asks)]
        assert codes.count("invalid-credentials") == sessions.TRIES_MAX
        assert codes.count("too-many-tries") == 2 * sessions.TRIES_MAX


async def test_many_addresses_guess_no_faster_and_lock_nobody_out_at_home(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "STRANGERS_TRIES_MAX", 5)
    async with shop("users", shards=2) as s:
        ada = await register(s)
        for number in range(5):
            client = f"198.51.100.{number}"
            wrong = await refused(log_in(s, "wrong", client=client))
            assert wrong.code == "invalid-credentials"
        for client in ("198.51.100.6", "198.51.100.7"):
            assert (await refused(log_in(s, client=client))).code == "too-many-tries"
        assert isinstance(await log_in(s), SignedIn)  # here Ada is signed in

        change = ChangePassword(
            user_id=ada.user.id,
            current_password=PASSWORD,
            new_password="seven loud kettles",
            session_id=ada.session_id,
            client=HOME,
        )
        await s.ask(change)
        away = await log_in(s, "seven loud kettles", client=ELSEWHERE)
        assert away.user.id == ada.user.id


async def test_one_address_alone_does_not_use_up_the_tries_of_all(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "STRANGERS_TRIES_MAX", sessions.TRIES_MAX + 1)
    async with shop("users") as s:
        await register(s)
        for _ in range(3 * sessions.TRIES_MAX):
            await refused(log_in(s, "wrong", client=ELSEWHERE))
        assert isinstance(await log_in(s, client="192.0.2.1"), SignedIn)


async def test_a_new_encryption_key_in_front_of_the_old_one_fails_nobody(
    shop: Shop,
) -> None:
    async with shop("users", "messaging", settings=SETTINGS) as s:
        ada = await register(s)
        code = await mailed_code(s)
        first = await refresh(s, ada.refresh_token)
        s.settings = s.settings.changed(encryption_keys="new,pepper")
        await s.kill("users")
        await s.restart("users")
        assert await refresh(s, ada.refresh_token) == first  # its answer was lost
        await s.ask(VerifyEmail(user_id=ada.user.id, code=code))
        assert (await refresh(s, first.refresh_token)).user.email_verified


async def test_a_success_and_the_end_of_the_window_forget_the_tries(shop: Shop) -> None:
    async with shop("users") as s:
        ada = await register(s)
        await refused(log_in(s, "wrong"))
        await log_in(s)
        assert await s.rows("users", "SELECT FROM login_tries") == []
        await refused(log_in(s, "wrong", client=ELSEWHERE))
        connection = await s.database("users")
        await connection.execute(
            "UPDATE login_tries SET since = now() - interval '16 min'"
        )
        await s.ask(ForgetTries(user_id=ada.user.id))
        assert await s.rows("users", "SELECT FROM login_tries") == []


async def test_the_lock_ends_with_its_window(shop: Shop) -> None:
    async with shop("users") as s:
        await register(s)
        for _ in range(sessions.TRIES_MAX + 1):
            await refused(log_in(s, "wrong"))
        connection = await s.database("users")
        await connection.execute(
            "UPDATE login_tries SET since = now() - interval '16 min'"
        )
        assert isinstance(await log_in(s), SignedIn)


async def test_a_refresh_token_is_good_once(shop: Shop) -> None:
    async with shop("users", shards=2) as s:
        ada = await register(s)
        second = await refresh(s, ada.refresh_token)
        third = await refresh(s, second.refresh_token)
        tokens = {ada.refresh_token, second.refresh_token, third.refresh_token}
        assert len(tokens) == 3
        assert {ada.session_id, second.session_id, third.session_id} == {ada.session_id}

        reused = await refused(refresh(s, ada.refresh_token))
        assert reused.code == "token-reused"
        assert (await refused(refresh(s, third.refresh_token))).code == "invalid-token"
        assert await revoked(s) == [(0, "token-reused", [str(ada.session_id)])]
        assert not await living(s, ada)


async def test_a_reused_token_leaves_other_sessions_alone(shop: Shop) -> None:
    async with shop("users") as s:
        ada = await register(s)
        other = await log_in(s)
        await refresh(s, (await refresh(s, ada.refresh_token)).refresh_token)
        assert (await refused(refresh(s, ada.refresh_token))).code == "token-reused"
        assert await living(s, other)
        assert (await refresh(s, other.refresh_token)).epoch == 0


async def test_a_lost_answer_is_given_again_to_the_same_client(shop: Shop) -> None:
    async with shop("users") as s:
        ada = await register(s)
        first, again = await asyncio.gather(
            refresh(s, ada.refresh_token), refresh(s, ada.refresh_token)
        )
        assert first == again
        assert isinstance(await refresh(s, again.refresh_token), SignedIn)
        assert await revoked(s) == []


async def test_a_lost_answer_is_not_given_to_another_client(shop: Shop) -> None:
    async with shop("users") as s:
        ada = await register(s)
        await refresh(s, ada.refresh_token)
        stolen = await refused(refresh(s, ada.refresh_token, client=ELSEWHERE))
        assert stolen.code == "token-reused"
        assert await revoked(s) == [(0, "token-reused", [str(ada.session_id)])]


async def test_a_lost_answer_is_not_given_again_later(shop: Shop) -> None:
    async with shop("users") as s:
        ada = await register(s)
        await refresh(s, ada.refresh_token)
        connection = await s.database("users")
        await connection.execute(
            "UPDATE sessions SET rotated_at = rotated_at - make_interval(secs => $1)",
            sessions.REPEAT_SECONDS_MAX + 1.0,
        )
        assert (await refused(refresh(s, ada.refresh_token))).code == "token-reused"


async def test_a_token_of_no_session_is_refused_and_ends_nothing(shop: Shop) -> None:
    async with shop("users") as s:
        ada = await register(s)
        made_up = f"{new_id(ada.user.id)}.{'x' * 43}"
        assert (await refused(refresh(s, made_up))).code == "invalid-token"
        assert isinstance(await refresh(s, ada.refresh_token), SignedIn)


async def test_a_session_that_is_not_refreshed_in_time_is_over(shop: Shop) -> None:
    async with shop("users") as s:
        ada = await register(s)
        (row,) = await s.rows("users", "SELECT expires_at FROM sessions")
        life = row["expires_at"] - datetime.now(UTC)
        assert timedelta(days=29, hours=23) < life < timedelta(days=30, minutes=1)
        connection = await s.database("users")
        await connection.execute("UPDATE sessions SET expires_at = now()")
        assert (await refused(refresh(s, ada.refresh_token))).code == "invalid-token"
        await connection.execute(
            "UPDATE due SET at = now() WHERE name LIKE 'session:%'"
        )
        await until_none(s, "SELECT FROM sessions")


@pytest.mark.parametrize(
    ("role", "life"),
    [
        ("CUSTOMER", timedelta(days=30)),
        ("SELLER", timedelta(hours=24)),
        ("ADMIN", timedelta(hours=24)),
    ],
)
async def test_a_session_ends_at_any_rate_however_much_it_is_used(
    shop: Shop, role: str, life: timedelta
) -> None:
    """Guards sessions.py: `began_at + whole`."""
    ends = "SELECT expires_at - created_at AS life, expires_at - now() AS left"
    async with shop("users") as s:
        ada = await register(s)
        connection = await s.database("users")
        await connection.execute("UPDATE users SET role = $1", role)
        ada = await refresh(s, ada.refresh_token)
        (row,) = await s.rows("users", f"{ends} FROM sessions")
        assert row["life"] == life
        await connection.execute(
            """UPDATE sessions SET created_at = now() - $1::interval,
                 expires_at = now() + interval '1 minute'""",
            life - timedelta(minutes=1),
        )
        ada = await refresh(s, ada.refresh_token)
        (row,) = await s.rows("users", f"{ends} FROM sessions")
        assert timedelta() < row["left"] <= timedelta(minutes=1)
        await connection.execute(
            """UPDATE sessions SET created_at = created_at - interval '1 minute',
                 expires_at = expires_at - interval '1 minute'"""
        )
        assert (await refused(refresh(s, ada.refresh_token))).code == "invalid-token"


async def test_a_timer_of_a_refreshed_session_only_looks_again(shop: Shop) -> None:
    async with shop("users") as s:
        ada = await register(s)
        connection = await s.database("users")
        await connection.execute(
            "UPDATE due SET at = now() WHERE name LIKE 'session:%'"
        )
        sql = "SELECT FROM due WHERE name LIKE 'session:%' AND at > now()"
        await until_some(s, sql)
        assert isinstance(await refresh(s, ada.refresh_token), SignedIn)


async def test_logout_ends_one_session_and_tells_so_once(shop: Shop) -> None:
    async with shop("users") as s:
        ada = await register(s)
        other = await log_in(s)
        message = LogOut(user_id=ada.user.id, session_id=ada.session_id)
        command_id = new_id()
        await s.ask(message, id=command_id)
        await s.ask(message, id=command_id)
        await s.ask(message)
        assert (await refused(refresh(s, ada.refresh_token))).code == "invalid-token"
        assert not await living(s, ada)
        assert await living(s, other)
        assert (await refresh(s, other.refresh_token)).epoch == 0
        assert await revoked(s) == [(0, "logout", [str(ada.session_id)])]


async def test_an_ended_session_is_forgotten_when_its_tokens_have_expired(
    shop: Shop,
) -> None:
    async with shop("users") as s:
        ada = await register(s)
        await s.ask(LogOut(user_id=ada.user.id, session_id=ada.session_id))
        (row,) = await s.rows(
            "users", "SELECT at - now() AS wait FROM due WHERE name LIKE 'session:%'"
        )
        assert timedelta(minutes=10, seconds=50) < row["wait"] <= timedelta(minutes=11)
        connection = await s.database("users")
        await connection.execute(
            "UPDATE due SET at = now() WHERE name LIKE 'session:%'"
        )
        await until_none(s, "SELECT FROM sessions")


async def test_nobody_ends_the_session_of_another(shop: Shop) -> None:
    async with shop("users") as s:
        ada = await register(s)
        bob = await register(s, "bob@example.com")
        await s.ask(LogOut(user_id=bob.user.id, session_id=ada.session_id))
        assert await living(s, ada)
        assert await revoked(s) == []
        assert (await refresh(s, ada.refresh_token)).epoch == 0


async def test_logout_everywhere_ends_every_session(shop: Shop) -> None:
    async with shop("users") as s:
        ada = await register(s)
        other = await log_in(s)
        await s.ask(LogOutAll(user_id=ada.user.id))
        for token in (ada.refresh_token, other.refresh_token):
            assert (await refused(refresh(s, token))).code == "invalid-token"
        assert await revoked(s) == [(1, "logout-all", [])]
        assert not await living(s, ada)


async def test_the_oldest_session_goes_when_there_are_too_many(shop: Shop) -> None:
    async with shop("users") as s:
        oldest = await register(s)
        for _ in range(sessions.SESSIONS_MAX):
            newest = await log_in(s)
        assert (await refused(refresh(s, oldest.refresh_token))).code == "invalid-token"
        assert isinstance(await refresh(s, newest.refresh_token), SignedIn)
        assert not await living(s, oldest)
        rows = await s.rows("users", "SELECT FROM sessions WHERE ended_at IS NULL")
        assert len(rows) == sessions.SESSIONS_MAX


async def test_a_killed_shard_keeps_sessions_and_finishes_sign_ins(shop: Shop) -> None:
    async with shop("users") as s:
        ada = await register(s)
        asks = [asyncio.ensure_future(log_in(s)) for _ in range(8)]
        await asyncio.sleep(0.01)
        await s.kill("users")
        await s.restart("users")
        ends = await asyncio.gather(*asks, return_exceptions=True)
        assert not [end for end in ends if isinstance(end, Refusal)]
        opened: list[UUID] = [
            end.session_id for end in ends if isinstance(end, SignedIn)
        ]
        assert len(opened) == len(set(opened))
        assert (await refresh(s, ada.refresh_token)).user.email == EMAIL
