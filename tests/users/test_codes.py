"""Mailed codes, verification, and new passwords."""

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from actors.users import codes
from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal, RefusalKind
from bus.kit.values import Done
from bus.users import (
    ChangePassword,
    FindAccount,
    ForgotPassword,
    GetUser,
    ResendCode,
    ResetPassword,
    SignedIn,
    VerifyEmail,
)
from tests.users.persons import (
    EMAIL,
    HOME,
    log_in,
    mailed_code,
    mails,
    refresh,
    refused,
    register,
    until_none,
    until_some,
)

Shop = Callable[..., Any]
NEW_PASSWORD = "seven loud copper kettles"


def other_than(code: str, by: int = 1) -> str:
    """A wrong code."""
    return f"{(int(code) + by) % 10**codes.CODE_DIGITS:06}"


async def kinds(s: Any) -> list[str]:
    """What was told of users, by name."""
    return [event["type"].split(".")[1] for event in await s.events("users")]


async def test_a_mailed_code_verifies_the_address_once(shop: Shop) -> None:
    async with shop("users", "messaging", shards=2) as s:
        ada = await register(s)
        code = await mailed_code(s)
        message = VerifyEmail(user_id=ada.user.id, code=code)
        assert await s.ask(message) == Done()
        assert await s.ask(message) == Done()
        user = await s.ask(GetUser(user_id=ada.user.id))
        assert (user.email_verified, user.version) == (True, 2)
        assert await kinds(s) == ["user_registered", "email_verified"]


async def test_the_mail_has_the_name_the_code_and_a_link_with_both(shop: Shop) -> None:
    async with shop("users", "messaging") as s:
        await register(s)
        code = await mailed_code(s)
        (mail,) = await mails(s, 1)
        assert "Hello Ada" in mail.text
        link = next(word for word in mail.text.split() if word.startswith("http"))
        page, _, fragment = link.partition("#")
        assert page == "http://127.0.0.1:3000/auth/verify-email"
        assert parse_qs(fragment) == {"email": [EMAIL], "code": [code]}


async def test_a_code_rests_as_a_hash_alone(shop: Shop) -> None:
    async with shop("users", "messaging") as s:
        await register(s)
        code = await mailed_code(s)
        (row,) = await s.rows("users", "SELECT * FROM codes")
        assert len(row["code_hash"]) == 32
        for table in ("codes", "due", "handled", "outbox"):
            rows = await s.rows("users", f"SELECT t::text FROM {table} t")
            assert f'"{code}"' not in str(rows)
            assert f",{code}," not in str(rows)


async def test_a_code_has_five_tries(shop: Shop) -> None:
    async with shop("users", "messaging") as s:
        ada = await register(s)
        code = await mailed_code(s)
        for number in range(codes.CODE_TRIES_MAX):
            wrong = VerifyEmail(user_id=ada.user.id, code=other_than(code, number + 1))
            assert (await refused(s.ask(wrong))).code == "invalid-code"
        right = VerifyEmail(user_id=ada.user.id, code=code)
        assert (await refused(s.ask(right))).code == "invalid-code"
        assert not (await s.ask(GetUser(user_id=ada.user.id))).email_verified
        assert "email_verified" not in await kinds(s)


async def test_the_fifth_try_may_still_be_right(shop: Shop) -> None:
    async with shop("users", "messaging") as s:
        ada = await register(s)
        code = await mailed_code(s)
        for number in range(codes.CODE_TRIES_MAX - 1):
            wrong = VerifyEmail(user_id=ada.user.id, code=other_than(code, number + 1))
            await refused(s.ask(wrong))
        assert await s.ask(VerifyEmail(user_id=ada.user.id, code=code)) == Done()


async def test_a_code_expires(shop: Shop) -> None:
    async with shop("users", "messaging") as s:
        ada = await register(s)
        code = await mailed_code(s)
        sql = "SELECT extract(epoch FROM expires_at - now())::int AS left FROM codes"
        (row,) = await s.rows("users", sql)
        assert 14 * 60 < row["left"] <= 15 * 60
        connection = await s.database("users")
        await connection.execute("UPDATE codes SET expires_at = now()")
        message = VerifyEmail(user_id=ada.user.id, code=code)
        assert (await refused(s.ask(message))).code == "invalid-code"


async def test_a_resent_code_voids_the_one_before(shop: Shop) -> None:
    async with shop("users", "messaging") as s:
        ada = await register(s)
        first = await mailed_code(s)
        await s.ask(ResendCode(user_id=ada.user.id))
        second = await mailed_code(s, 2)
        old = VerifyEmail(user_id=ada.user.id, code=first)
        if first != second:
            assert (await refused(s.ask(old))).code == "invalid-code"
        assert await s.ask(VerifyEmail(user_id=ada.user.id, code=second)) == Done()


async def test_no_more_codes_an_hour_than_the_limit(shop: Shop) -> None:
    async with shop("users", "messaging") as s:
        ada = await register(s)
        for number in range(1, codes.CODES_PER_HOUR_MAX):
            await mails(s, number)
            await s.ask(ResendCode(user_id=ada.user.id))
        last = await mailed_code(s, codes.CODES_PER_HOUR_MAX)
        await s.ask(ResendCode(user_id=ada.user.id))
        await until_none(s, "SELECT FROM due WHERE name LIKE 'code:%'")
        assert len(await mails(s, 1)) == codes.CODES_PER_HOUR_MAX
        assert await s.ask(VerifyEmail(user_id=ada.user.id, code=last)) == Done()


async def test_an_unknown_address_gets_no_mail_and_no_other_answer(shop: Shop) -> None:
    async with shop("users", "messaging") as s:
        nobody = (await s.ask(FindAccount(email="nobody@example.com"))).user_id
        assert await s.ask(ResendCode(user_id=nobody)) == Done()
        assert await s.ask(ForgotPassword(user_id=nobody)) == Done()
        verify = await refused(s.ask(VerifyEmail(user_id=nobody, code="123456")))
        assert (verify.code, verify.data.kind) == ("invalid-code", RefusalKind.INVALID)
        reset = ResetPassword(user_id=nobody, code="123456", new_password=NEW_PASSWORD)
        assert (await refused(s.ask(reset))).code == "invalid-code"
        await until_none(s, "SELECT FROM due")
        assert await s.rows("messaging", "SELECT FROM messages") == []


async def test_a_mail_waits_for_messaging_and_comes(shop: Shop) -> None:
    async with shop("users", "messaging") as s:
        await s.kill("messaging")
        ada = await register(s)
        await until_some(s, "SELECT FROM codes")
        await s.kill("users")
        await s.restart("messaging")
        await s.restart("users")
        code = await mailed_code(s)
        assert await s.ask(VerifyEmail(user_id=ada.user.id, code=code)) == Done()
        sql = "SELECT FROM handled WHERE state < 2"
        await until_none(s, sql)


async def test_a_forgotten_password_is_set_anew_by_code(shop: Shop) -> None:
    async with shop("users", "messaging", shards=2) as s:
        ada = await register(s)
        await mails(s, 1)
        await s.ask(ForgotPassword(user_id=ada.user.id))
        code = await mailed_code(s, 2)
        message = ResetPassword(
            user_id=ada.user.id, code=code, new_password=NEW_PASSWORD
        )
        command_id = new_id()
        assert await s.ask(message, id=command_id) == Done()
        assert await s.ask(message, id=command_id) == Done()
        assert (await refused(refresh(s, ada.refresh_token))).code == "invalid-token"
        assert (await refused(log_in(s))).code == "invalid-credentials"
        anew = await log_in(s, NEW_PASSWORD)
        assert (anew.epoch, anew.user.email_verified) == (1, True)
        told = await kinds(s)
        assert told.count("password_changed") == 1
        assert told.count("sessions_revoked") == 1
        (notice, *_) = sorted(await mails(s, 3), key=lambda mail: mail.at, reverse=True)
        assert notice.subject == "Your Souk password was changed"


async def test_a_reset_code_is_used_once(shop: Shop) -> None:
    async with shop("users", "messaging") as s:
        ada = await register(s)
        await mails(s, 1)
        await s.ask(ForgotPassword(user_id=ada.user.id))
        code = await mailed_code(s, 2)
        asks = (
            s.ask(
                ResetPassword(
                    user_id=ada.user.id, code=code, new_password=NEW_PASSWORD + more
                )
            )
            for more in (" one", " two", " three")
        )
        ends = await asyncio.gather(*asks, return_exceptions=True)
        assert [end for end in ends if end == Done()] == [Done()]
        refusals = [end for end in ends if isinstance(end, Refusal)]
        assert [each.code for each in refusals] == ["invalid-code"] * 2
        assert (await kinds(s)).count("password_changed") == 1
        later = ResetPassword(user_id=ada.user.id, code=code, new_password=NEW_PASSWORD)
        assert (await refused(s.ask(later))).code == "invalid-code"


async def test_a_weak_new_password_leaves_the_code_usable(shop: Shop) -> None:
    async with shop("users", "messaging") as s:
        ada = await register(s)
        await mails(s, 1)
        await s.ask(ForgotPassword(user_id=ada.user.id))
        code = await mailed_code(s, 2)
        weak = ResetPassword(user_id=ada.user.id, code=code, new_password="lovelace9")
        refusal = await refused(s.ask(weak))
        assert refusal.code == "weak-password"
        assert [error.field for error in refusal.data.errors] == ["new_password"]
        good = ResetPassword(user_id=ada.user.id, code=code, new_password=NEW_PASSWORD)
        assert await s.ask(good) == Done()


async def test_a_verification_code_sets_no_password(shop: Shop) -> None:
    async with shop("users", "messaging") as s:
        ada = await register(s)
        code = await mailed_code(s)
        message = ResetPassword(
            user_id=ada.user.id, code=code, new_password=NEW_PASSWORD
        )
        assert (await refused(s.ask(message))).code == "invalid-code"
        assert isinstance(await log_in(s), SignedIn)


def change(ada: SignedIn, current: str, new: str) -> ChangePassword:
    """Ada changes her password from the session that she is in."""
    return ChangePassword(
        user_id=ada.user.id,
        current_password=current,
        new_password=new,
        session_id=ada.session_id,
        client=HOME,
    )


async def test_a_changed_password_ends_the_other_sessions(shop: Shop) -> None:
    async with shop("users", "messaging") as s:
        other = await register(s, password=NEW_PASSWORD)
        ada = await log_in(s, NEW_PASSWORD)
        message = change(ada, NEW_PASSWORD, "eleven grey umbrellas")
        command_id = new_id()
        assert await s.ask(message, id=command_id) == Done()
        assert await s.ask(message, id=command_id) == Done()
        assert (await refused(refresh(s, other.refresh_token))).code == "invalid-token"
        assert (await refresh(s, ada.refresh_token)).epoch == 0
        assert (await refused(log_in(s, NEW_PASSWORD))).code == "invalid-credentials"
        assert isinstance(await log_in(s, "eleven grey umbrellas"), SignedIn)
        told = await kinds(s)
        assert told.count("password_changed") == 1
        assert told.count("sessions_revoked") == 1


async def test_a_wrong_current_password_changes_nothing(shop: Shop) -> None:
    async with shop("users") as s:
        ada = await register(s)
        message = change(ada, "wrong", NEW_PASSWORD)
        assert (await refused(s.ask(message))).code == "invalid-credentials"
        assert isinstance(await log_in(s), SignedIn)
        assert await kinds(s) == ["user_registered"]


async def test_of_two_changes_at_once_one_counts(shop: Shop) -> None:
    async with shop("users", "messaging") as s:
        ada = await register(s, password=NEW_PASSWORD)
        ends = await asyncio.gather(
            s.ask(change(ada, NEW_PASSWORD, "eleven grey umbrellas")),
            s.ask(change(ada, NEW_PASSWORD, "twelve blue bicycles")),
            return_exceptions=True,
        )
        assert [end for end in ends if end == Done()] == [Done()]
        assert (await kinds(s)).count("password_changed") == 1
