"""People to test with, and how they come to their mail."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from bus.kit.refusals import Refusal
from bus.messaging import CaughtMessage, ListMailbox
from bus.users import FindAccount, LogIn, RefreshTokens, RegisterUser, SignedIn
from tests.kit.local import LocalShop

EMAIL = "ada@example.com"
PASSWORD = "a quiet violet harbour"
HOME = "203.0.113.7"
ELSEWHERE = "198.51.100.9"
MAIL_SECONDS_MAX = 10


async def register(shop: LocalShop, email: str = EMAIL, **other: Any) -> SignedIn:
    """A new customer, signed in at home."""
    known = {"password": PASSWORD, "first_name": "Ada", "last_name": "Lovelace"}
    message = RegisterUser(email=email, client=HOME, **{**known, **other})
    signed_in: SignedIn = await shop.ask(message)
    return signed_in


async def log_in(
    shop: LocalShop, password: str = PASSWORD, *, email: str = EMAIL, client: str = HOME
) -> SignedIn:
    """Sign in as the edge does: the address first, then the account."""
    found = await shop.ask(FindAccount(email=email))
    signed_in: SignedIn = await shop.ask(
        LogIn(user_id=found.user_id, password=password, client=client)
    )
    return signed_in


async def refresh(shop: LocalShop, token: str, client: str = HOME) -> SignedIn:
    """Change a refresh token."""
    session_id, secret = token.split(".")
    signed_in: SignedIn = await shop.ask(
        RefreshTokens(session_id=UUID(session_id), secret=secret, client=client)
    )
    return signed_in


async def refused(asked: Any) -> Refusal:
    """The refusal that an ask ends with."""
    with pytest.raises(Refusal) as caught:
        await asked
    return caught.value


async def mails(shop: LocalShop, count: int, to: str = EMAIL) -> list[CaughtMessage]:
    """The mails to an address, newest first, as soon as there are `count`."""
    async with asyncio.timeout(MAIL_SECONDS_MAX):
        while True:
            page = await shop.ask(ListMailbox(to=to))
            if len(page.items) >= count:
                return list(page.items)
            await asyncio.sleep(0.05)


async def until(found: Callable[[], Awaitable[bool]]) -> None:
    """Wait for what happens beside the asks."""
    async with asyncio.timeout(MAIL_SECONDS_MAX):
        while not await found():  # noqa: ASYNC110 - it happens in the database
            await asyncio.sleep(0.05)


async def until_none(shop: LocalShop, sql: str) -> None:
    """Wait until a statement on users finds no row any more."""

    async def none() -> bool:
        return not await shop.rows("users", sql)

    await until(none)


async def until_some(shop: LocalShop, sql: str, count: int = 1) -> None:
    """Wait until a statement on users finds `count` rows."""

    async def some() -> bool:
        return len(await shop.rows("users", sql)) >= count

    await until(some)


async def mailed_code(shop: LocalShop, count: int = 1, to: str = EMAIL) -> str:
    """The code in the newest of `count` mails."""
    newest = max(await mails(shop, count, to), key=lambda mail: mail.at)
    found = re.search(r"\b\d{6}\b", newest.text)
    assert found is not None
    return found[0]
