"""The load client, a process of its own: a closed loop of so many clients.

`python -m scripts.benching.load FILE` reads a `Task` from its input and writes a
`Load` into the file.
"""

import asyncio
import random
import resource
import sys
import tempfile
import time
import uuid
from collections import Counter
from pathlib import Path

import aiohttp
import msgspec
import uvloop
import yarl

ANSWER_SECONDS_MAX = 60.0
TWO_ITEMS_SHARE = 0.5
GOOD = (200, 201, 204)

ADDRESS = {
    "name": "Bench Buyer",
    "line1": "1 Loopback Lane",
    "city": "London",
    "postal_code": "N1 9GU",
    "country": "GB",
}


class Visit(msgspec.Struct, frozen=True):
    """A page that somebody looks at, and of what kind it is."""

    kind: str
    path: str


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What to ask: visits at random, or orders of SKUs, or else `/dev/noop`.

    `fresh` visits pass the near cache by.
    """

    url: str
    clients: int
    seconds: float
    requests_max: int
    skus: tuple[str, ...] = ()
    visits: tuple[Visit, ...] = ()
    fresh: bool = False
    seed: int = 0


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What was answered; `order_ids` are those of the 201s, latencies are in ms.

    `by_kind` are the latencies of visits alone, those answered with 200.
    `begun_at` and `ended_at` are in seconds since the epoch, for another process.
    """

    statuses: dict[int, int]
    errors: dict[str, int]
    milliseconds: list[float]
    order_ids: list[str]
    begun_at: float
    ended_at: float
    cpu_seconds: float
    by_kind: dict[str, list[float]] = {}

    @property
    def seconds(self) -> float:
        """From the first request to the last answer."""
        return self.ended_at - self.begun_at

    @property
    def good(self) -> int:
        """How many were answered with success."""
        return sum(n for status, n in self.statuses.items() if status in GOOD)

    def at(self, share: float) -> float:
        """The latency that this share of the answers stayed under, in ms."""
        return share_of(self.milliseconds, share)


def share_of(milliseconds: list[float], share: float) -> float:
    """The latency that this share of those given stayed under; 0 of none."""
    ordered = sorted(milliseconds)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0


class _Clients:
    """All clients of one task, counting together."""

    def __init__(self, task: Task, session: aiohttp.ClientSession) -> None:
        self.statuses: Counter[int] = Counter()
        self.errors: Counter[str] = Counter()
        self.milliseconds: list[float] = []
        self.order_ids: list[str] = []
        self.by_kind: dict[str, list[float]] = {}
        self._task = task
        self._session = session
        self._left = task.requests_max
        self._until = time.perf_counter() + task.seconds

    async def run(self, number: int) -> None:
        """One client: the next request goes when the last one is answered."""
        dice = random.Random(f"{self._task.seed}/{number}")  # noqa: S311 - no secret
        ask = self._order if self._task.skus else self._noop
        ask = self._visit if self._task.visits else ask
        while self._left > 0 and time.perf_counter() < self._until:
            self._left -= 1
            begun = time.perf_counter()
            try:
                status = await ask(dice)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                self.errors[type(error).__name__] += 1
                continue
            self.milliseconds.append((time.perf_counter() - begun) * 1000)
            self.statuses[status] += 1

    async def _noop(self, _: random.Random) -> int:
        async with self._session.get(f"{self._task.url}/dev/noop") as answer:
            await answer.read()
            return answer.status

    async def _visit(self, dice: random.Random) -> int:
        visit = dice.choice(self._task.visits)
        headers = {"Cache-Control": "no-cache"} if self._task.fresh else {}
        begun = time.perf_counter()
        url = yarl.URL(f"{self._task.url}{visit.path}", encoded=True)
        async with self._session.get(url, headers=headers) as answer:
            await answer.read()
        if answer.status == 200:
            taken = (time.perf_counter() - begun) * 1000
            self.by_kind.setdefault(visit.kind, []).append(taken)
        return answer.status

    async def _order(self, dice: random.Random) -> int:
        body = msgspec.json.encode(wish(dice, self._task.skus))
        headers = {"Content-Type": "application/json"}
        async with self._session.post(
            f"{self._task.url}/orders", data=body, headers=headers
        ) as answer:
            said = await answer.read()
            if answer.status == 201:
                self.order_ids.append(msgspec.json.decode(said)["id"])
            return answer.status


def wish(dice: random.Random, skus: tuple[str, ...]) -> dict[str, object]:
    """A guest's order of one or two SKUs, a piece each."""
    count = 2 if dice.random() < TWO_ITEMS_SHARE else 1
    return {
        "email": f"{uuid.uuid4().hex}@bench.example",
        "shipping_address": ADDRESS,
        "payment": {"method": "CREDIT_CARD", "token": "tok_visa"},
        "items": [{"sku": sku, "quantity": 1} for sku in dice.sample(skus, count)],
    }


async def run(task: Task) -> Load:
    """All clients until the time or the count is up, and their last answers."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30)
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS_MAX)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        before = _cpu_seconds()
        clients = _Clients(task, session)
        begun_at = time.time()
        await asyncio.gather(*(clients.run(number) for number in range(task.clients)))
        return Load(
            statuses=dict(clients.statuses),
            errors=dict(clients.errors),
            milliseconds=clients.milliseconds,
            order_ids=clients.order_ids,
            begun_at=begun_at,
            ended_at=time.time(),
            cpu_seconds=_cpu_seconds() - before,
            by_kind=clients.by_kind,
        )


async def in_process(task: Task) -> Load:
    """The same in a process of its own, so that it costs nobody else's loop."""
    with tempfile.NamedTemporaryFile(prefix="souk-load-") as file:
        # A file, for a pipe was seen to lose what is past its first 196 608 bytes.
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "scripts.benching.load",
            file.name,
            stdin=asyncio.subprocess.PIPE,
        )
        await process.communicate(msgspec.json.encode(task))
        if process.returncode:
            raise RuntimeError(f"the load client ended with {process.returncode}")
        return msgspec.json.decode(file.read(), type=Load)


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main(file: Path) -> None:
    """Do the task on the input."""
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Task)
    file.write_bytes(msgspec.json.encode(uvloop.run(run(task))))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
