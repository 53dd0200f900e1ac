"""Files on their way in: how many at once, and for how long."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import TypeVar
from uuid import UUID

from serve_app.kit.caller import Caller
from serve_app.kit.problems import Problem, unavailable

Answered = TypeVar("Answered")

UPLOADS_MAX = 64
UPLOADS_EACH_MAX = 8
UPLOAD_SECONDS_MAX = 300.0

_under_way: Counter[UUID | None] = Counter()


async def take(caller: Caller, answering: Coroutine[None, None, Answered]) -> Answered:
    """Answer an upload, which lies on this machine's disk until it is done.

    So one process takes UPLOADS_MAX of them at a time (503), UPLOADS_EACH_MAX of one
    person (429), and none for longer than UPLOAD_SECONDS_MAX (408).
    """
    try:
        _admit(caller)
    except Problem:
        answering.close()
        raise
    _under_way[caller.user_id] += 1
    try:
        async with asyncio.timeout(UPLOAD_SECONDS_MAX):
            return await answering
    except TimeoutError:
        close = {"Connection": "close"}
        raise Problem(
            408, "request-timeout", "The file did not come.", headers=close
        ) from None
    finally:
        _under_way[caller.user_id] -= 1
        if not _under_way[caller.user_id]:
            del _under_way[caller.user_id]


def _admit(caller: Caller) -> None:
    if _under_way.get(caller.user_id, 0) >= UPLOADS_EACH_MAX:
        raise Problem(
            429,
            "too-many-uploads",
            "Wait until your other uploads are done.",
            headers={"Retry-After": "1", "Connection": "close"},
        )
    if _under_way.total() >= UPLOADS_MAX:
        raise unavailable()
