"""The domains' logs read as one: merged by time, and whole or not at all."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from bus.kit.audit import AuditEntry, AuditPage, AuditQuery, list_audit
from bus.kit.refusals import Failed, Unavailable, Unknown
from serve_app.app import ROUTERS
from serve_app.kit.answers import opaque_cursor
from tests.gateway.fakes import Front, Hands

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


def entry(number: int) -> AuditEntry:
    return AuditEntry(
        id=UUID(int=number), at=NOW, action="a.b", actor="system", entity="e"
    )


def log(*numbers: int) -> Callable[[AuditQuery], AuditPage]:
    """A domain's log of these entries, and its answer."""

    def answer(query: AuditQuery) -> AuditPage:
        before = query.before.int if query.before else 10**9
        found = [each for each in sorted(numbers, reverse=True) if each < before]
        return AuditPage(items=tuple(entry(each) for each in found[: query.limit]))

    return answer


@pytest.fixture
async def logs(tmp_path: Path) -> Front:
    """Eight logs whose entries follow each other from domain to domain."""
    front = Front(tmp_path, Hands())
    await front.gateway.epochs.confirm()
    for place, name in enumerate(ROUTERS):
        front.asker.answers[list_audit(name)] = log(*range(place + 1, 50, 8))
    return front


async def test_all_logs_are_one_and_every_page_follows_the_last(logs: Front) -> None:
    found: list[int] = []
    asked = "/audit?limit=7&entity=e&since=2030-01-02T03:04:05%2B01:00"
    async with logs.http as http:
        cursor = ""
        while True:
            page = (await http.get(asked + cursor, headers=logs.bearer("ADMIN"))).json()
            found += [UUID(one["id"]).int for one in page["items"]]
            for one in page["items"]:
                assert one["domain"] == ROUTERS[(UUID(one["id"]).int - 1) % 8]
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
    assert found == list(range(49, 0, -1))
    query = logs.asker.asked[0][0]
    assert (query.limit, query.entity, query.actor) == (8, "e", None)
    assert query.since == datetime(2030, 1, 2, 2, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize("end", [Unavailable("x"), Unknown("x"), Failed("x")])
async def test_a_domain_that_does_not_answer_is_named(
    logs: Front, end: Exception
) -> None:
    for name in ("orders", "files"):
        logs.asker.answers[list_audit(name)] = end
    async with logs.http as http:
        answer: httpx.Response = await http.get("/audit", headers=logs.bearer("ADMIN"))
    assert answer.status_code == 503
    assert answer.json()["code"] == "audit-incomplete"
    assert answer.json()["down"] == ["files", "orders"]
    assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize(
    "asked",
    [
        "since=2030-13-01T00:00:00Z",
        "since=0001-01-01T00:00:00%2B23:00",
        "cursor=" + opaque_cursor("no id"),
        "entity=a%0Ab",
        "entity=" + "a" * 129,
        "actor=" + "a" * 65,
    ],
)
async def test_what_cannot_be_asked_asks_nobody(logs: Front, asked: str) -> None:
    async with logs.http as http:
        answer = await http.get(f"/audit?{asked}", headers=logs.bearer("ADMIN"))
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid-request"
    assert logs.asker.asked == []
