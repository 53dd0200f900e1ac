"""What the tests of messaging share."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from bus.kit.addressing import new_id
from bus.messaging import SendEmail

SETTLED_SECONDS_MAX = 10.0


def confirmed(to: str, name: str = "Ann", number: str = "SK-1") -> SendEmail:
    """The mail of a confirmed order."""
    total = {"amount": 1999, "currency": "USD"}
    return SendEmail(
        message_id=new_id(),
        to=to,
        template="order_confirmed",
        data={"name": name, "number": number, "total": total},
    )


async def settled(shop: Any) -> None:
    """Wait until no message waits to be sent, and all marks are told."""
    sql = "SELECT count(*) AS n FROM messages WHERE status = 'QUEUED'"
    async with asyncio.timeout(SETTLED_SECONDS_MAX):
        while (await shop.rows("messaging", sql))[0]["n"]:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(SETTLED_SECONDS_MAX):
        while not await holds():  # noqa: ASYNC110 - another process's rows
            await asyncio.sleep(0.02)
