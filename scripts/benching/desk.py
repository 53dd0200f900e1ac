"""Where a load client asks, and where it notes what was answered."""

import time
from collections import Counter
from typing import Any

import aiohttp
import msgspec
import yarl

from scripts.benching.series import Series

ANSWER_SECONDS_MAX = 60.0
GOOD = (200, 201, 204)

BY_EDGE, BY_DOMAIN = "refused by the edge", "refused by the domain"
BUSY = "refused as busy"
"""With 503 and `Retry-After`, before anything was begun."""
SOLD_OUT = "out-of-stock"


class Stopped(Exception):
    """An operation ended early: it was refused, and counted so."""


class Tally:
    """What the clients of one process count together; see `Load`."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.errors: Counter[str] = Counter()
        self.milliseconds: list[float] = []
        self.order_ids: list[str] = []
        self.by_kind: dict[str, list[float]] = {}
        self.series = Series()

    def note(self, kind: str, status: int, milliseconds: float) -> None:
        """One answer."""
        self.statuses[status] += 1
        self.by_kind.setdefault(kind, []).append(milliseconds)


class Desk:
    """Asks the shop one request at a time and counts each."""

    def __init__(self, url: str, session: aiohttp.ClientSession, tally: Tally) -> None:
        self.tally = tally
        self._url = url
        self._session = session

    async def ask(
        self,
        kind: str,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> bytes:
        """The answer's body; raises `Stopped` when it was not answered well."""
        answer = await self.exchange(method, path, body, headers)
        if answer.status in GOOD:
            self.note(kind, answer)
            return answer.body
        who = refuser(answer.status, answer.body, told=answer.told)
        self.note(who, answer)
        raise Stopped

    async def exchange(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> "Answer":
        """Whatever is answered, counted nowhere yet."""
        headers = headers or {}
        data = None
        if body is not None:
            data = msgspec.json.encode(body)
            headers = {"Content-Type": "application/json", **headers}
        begun = time.perf_counter()
        url = yarl.URL(f"{self._url}{path}", encoded=True)
        async with self._session.request(
            method, url, data=data, headers=headers
        ) as answer:
            said = await answer.read()
        taken = (time.perf_counter() - begun) * 1000
        told = "Retry-After" in answer.headers
        return Answer(answer.status, said, taken, told=told)

    def note(self, kind: str, answer: "Answer") -> None:
        """Count an answer under this kind."""
        self.tally.note(kind, answer.status, answer.milliseconds)

    async def order(self, body: Any, headers: dict[str, str] | None = None) -> None:
        """Place an order, and keep its id."""
        said = await self.ask("order", "POST", "/orders", body, headers)
        self.tally.order_ids.append(msgspec.json.decode(said)["id"])


class Answer(msgspec.Struct, frozen=True):
    """What was answered, how long that took, and whether `told` when to come again."""

    status: int
    body: bytes
    milliseconds: float
    told: bool = False


def refuser(status: int, said: bytes, *, told: bool = False) -> str:
    """Who refused; one that is busy should have `told` when to come again.

    Of too few pieces the domain says so by naming the order that it then cancelled.
    """
    if status == 503 and told:
        return BUSY
    if status != 409:
        return f"answered {status}"
    problem = msgspec.json.decode(said)
    if problem.get("code") != SOLD_OUT:
        return f"answered {status} {problem.get('code')}"
    return BY_DOMAIN if "order_id" in problem else BY_EDGE
