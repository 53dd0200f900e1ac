"""What routes declare, and the routes that every shop has."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import schemathesis
from fastapi.routing import APIRoute

from bus.inventory import ListLowStock, StockView
from bus.kit import logs
from bus.kit.request_lines import LINES
from bus.kit.values import Page
from bus.messaging import CaughtMessage, ListMailbox
from serve_app.app import application
from serve_app.kit.routing import PUBLIC, Router
from serve_app.kit.segments import Segments
from tests.gateway.fakes import Front, Hands
from tests.gateway.test_problems import check


def test_a_route_that_goes_past_the_declaration_stops_the_start() -> None:
    async def leak() -> None:
        """Say nothing of access."""

    with pytest.raises(RuntimeError, match="/open declares no access"):
        Router("open").api.get("/open")(leak)


def test_a_plain_route_among_ours_stops_the_start_too(front: Front) -> None:
    async def leak() -> None:
        """Say nothing of access."""

    router = Router("open")
    router.api.routes.append(APIRoute("/open", leak))
    with pytest.raises(RuntimeError, match="/open declares no access"):
        application(front.gateway, [router])


def test_access_cannot_be_left_out() -> None:
    with pytest.raises(TypeError, match="access"):
        Router("open").get("/open")  # type: ignore[call-arg]


def test_a_handler_must_be_async_and_a_path_begin_with_a_word() -> None:
    router = Router("open")
    with pytest.raises(TypeError, match="must be async"):
        router.get("/x", access=PUBLIC)(lambda: None)  # type: ignore[type-var]

    @router.get("/{anything}", access=PUBLIC)
    async def anything(anything: str) -> None:
        """Swallow all paths."""

    with pytest.raises(RuntimeError, match="begins with a parameter"):
        Segments(router.api.routes)


async def test_created_says_where_and_which_version(
    front: Front, thing: dict[str, Any]
) -> None:
    answer = await front.http.post("/things", json=thing)
    assert answer.status_code == 201
    assert answer.headers["location"] == "/things/A"
    assert answer.headers["etag"].startswith('"2-')
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {"sku": "A", "available": 3, "warehouses": [], "version": 2}


async def test_nothing_to_tell_is_204(front: Front) -> None:
    answer = await front.http.delete("/things/A", headers=front.bearer())
    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize(
    ("sent", "version"),
    [('"7"', 7), ('"7-0123456789abcdef"', 7), ('W/"7"', 7), ("*", 0), (None, 0)],
)
async def test_if_match_is_the_version_that_was_read(
    front: Front, thing: dict[str, Any], sent: str | None, version: int
) -> None:
    headers = front.bearer("ADMIN") | ({} if sent is None else {"If-Match": sent})
    answer = await front.http.put("/things/A", json=thing, headers=headers)
    assert answer.json()["available"] == version


@pytest.mark.parametrize("sent", ["7", '"x"', '"-1"', '"7", "8"', '""'])
async def test_an_if_match_that_we_never_gave_is_412(
    front: Front, thing: dict[str, Any], sent: str
) -> None:
    headers = front.bearer("ADMIN") | {"If-Match": sent}
    answer = await front.http.put("/things/A", json=thing, headers=headers)
    check(answer, 412, "version-mismatch")


async def test_cursors_are_opaque_and_come_back_as_they_were(front: Front) -> None:
    front.asker.answers[ListLowStock] = Page(
        (StockView(sku="A", available=0),), "a|b/é"
    )
    headers = front.bearer("SELLER")
    page = (await front.http.get("/things", headers=headers)).json()
    assert page["next_cursor"].isascii()
    assert "|" not in page["next_cursor"]
    await front.http.get(
        "/things",
        params={"cursor": page["next_cursor"], "limit": 100},
        headers=headers,
    )
    asked = front.asker.asked[-1][0]
    assert (asked.cursor, asked.limit) == ("a|b/é", 100)
    front.asker.answers[ListLowStock] = Page(())
    assert (await front.http.get("/things", headers=headers)).json() == {
        "items": [],
        "next_cursor": None,
    }


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=0", "invalid-request"),
        ("limit=101", "invalid-request"),
        ("limit=x", "invalid-request"),
        ("cursor=%C3%A9", "invalid-cursor"),
        ("cursor=!!!", "invalid-cursor"),
        ("cursor=", "invalid-cursor"),
        ("cursor=AA", "invalid-cursor"),
        (f"cursor={'A' * 2000}", "invalid-request"),
    ],
)
async def test_a_page_that_is_none_is_422(front: Front, query: str, code: str) -> None:
    answer = await front.http.get(f"/things?{query}", headers=front.bearer("SELLER"))
    document = check(answer, 422, code)
    assert [each["field"] for each in document["errors"]] == [query.partition("=")[0]]


async def test_the_openapi_document_is_valid_and_says_who_may_what(
    front: Front,
) -> None:
    answer = await front.http.get("/api/openapi.json")
    document = answer.json()
    schemathesis.openapi.from_dict(document).validate()
    references = re.findall(r'"\$ref":\s*"#/components/schemas/([^"]+)"', answer.text)
    assert set(references) <= set(document["components"]["schemas"])
    assert document["openapi"] == "3.1.0"
    make = document["paths"]["/things"]["post"]
    body = make["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/ThingBody"}
    assert {"name": "Idempotency-Key", "in": "header"}.items() <= (
        make["parameters"][0].items()
    )
    reply = make["responses"]["201"]["content"]["application/json"]["schema"]
    assert reply == {"$ref": "#/components/schemas/StockView"}
    problem = make["responses"]["503"]["content"]["application/problem+json"]
    assert problem["schema"] == {"$ref": "#/components/schemas/Problem"}
    assert {} in make["security"]
    assert document["paths"]["/things"]["get"]["security"] == [{"bearer": []}]
    assert "/api" not in document["paths"]
    assert "HTTPValidationError" not in json.dumps(document)


async def test_swagger_ui_is_served_by_us_alone(front: Front) -> None:
    page = await front.http.get("/api")
    assert page.status_code == 200
    assert "http:" not in page.text
    assert "https:" not in page.text
    assert (
        "'unsafe-inline'"
        not in page.headers["content-security-policy"].split("style-src")[0]
    )
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "start.js"):
        assert f"/api/{name}" in page.text
        assert (await front.http.get(f"/api/{name}")).status_code == 200
    check(await front.http.get("/api/..%2Fpages.py"), 404, "not-found")
    check(await front.http.get("/api/LICENSE"), 404, "not-found")


@pytest.mark.parametrize("path", ["/", "/admin"])
async def test_the_short_pages_lead_to_the_api(front: Front, path: str) -> None:
    page = await front.http.get(path)
    assert page.headers["content-type"].startswith("text/html")
    assert 'href="/api"' in page.text


async def test_ready_lists_all_parts_and_names_what_is_down(front: Front) -> None:
    answer = await front.http.get("/health/ready")
    assert answer.json() == {
        "status": "ok",
        "domains": {"orders": {"pool": True, "database": True}},
        "bus": True,
    }
    front.asker.parts["bus"] = {"pool": True, "nats": False}
    document = check(await front.http.get("/health/ready"), 503, "not-ready")
    assert (document["down"], document["bus"]) == (["bus"], False)
    front.asker.parts["orders"]["database"] = False
    front.gateway.bus_connected = lambda: False
    document = check(await front.http.get("/health/ready"), 503, "not-ready")
    assert document["down"] == ["orders.database", "bus"]
    assert document["domains"]["orders"] == {"pool": True, "database": False}
    assert (await front.http.get("/health/live")).json() == {"status": "ok"}


async def test_a_draining_gateway_is_not_ready(front: Front) -> None:
    front.gateway.draining = True
    document = check(await front.http.get("/health/ready"), 503, "not-ready")
    assert document["down"] == ["gateway"]


async def test_measures_count_by_route_and_not_by_path(front: Front) -> None:
    for sku in ("A", "B"):
        await front.http.get(f"/things/{sku}")
    await front.http.get("/things/A")
    await front.http.get("/private/x")
    text = (await front.http.get("/metrics")).text
    labels = (
        'replica="0",method="GET",route="/things/{sku}",status="200",domain="trial"'
    )
    assert f"souk_http_requests_total{{{labels}}} 2" in text
    assert 'route="near",status="200",domain="gateway"} 1' in text
    assert "/things/A" not in text
    assert 'souk_gateway_near_hits_total{replica="0"} 1' in text
    assert 'souk_gateway_in_flight{replica="0"} 1' in text


async def test_the_yardstick_is_an_ordinary_route(front: Front) -> None:
    answer = await front.http.get("/dev/noop")
    assert (answer.status_code, answer.content) == (204, b"")
    text = (await front.http.get("/metrics")).text
    assert 'route="/dev/noop",status="204",domain="operations"} 1' in text


async def test_the_mailbox_is_a_page_or_json(front: Front) -> None:
    mail = CaughtMessage(
        id=UUID(int=1),
        channel="email",
        to="a@b.example",
        subject="<script>",
        text="code & more",
        html=None,
        at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )
    front.asker.answers[ListMailbox] = Page((mail,))
    answer = await front.http.get(
        "/dev/mailbox", headers={"Accept": "application/json"}
    )
    assert answer.json()["items"] == [
        {
            "id": str(UUID(int=1)),
            "channel": "email",
            "to": "a@b.example",
            "subject": "<script>",
            "text": "code & more",
            "html": None,
            "at": "2026-01-02T03:04:05Z",
        }
    ]
    page = await front.http.get("/dev/mailbox", headers={"Accept": "text/html"})
    assert "&lt;script&gt;" in page.text
    assert "<script>" not in page.text


async def test_production_has_no_development_routes(
    tmp_path: Path, clock: Hands
) -> None:
    front = Front(tmp_path, clock, profile="production", encryption_keys="x")
    for path in ("/dev/noop", "/dev/mailbox"):
        check(await front.http.get(path), 404, "not-found")
    assert "/dev" not in (await front.http.get("/api/openapi.json")).text
    await front.http.aclose()


async def test_a_request_is_logged_with_its_id_and_nothing_private(
    front: Front, thing: dict[str, Any], tmp_path: Path
) -> None:
    logs.configure(front.gateway.settings, "gateway-test")
    await front.http.post(
        "/things",
        json=thing,
        headers=front.bearer() | {"X-Request-Id": "request-17"},
    )
    LINES.flush()
    (line,) = [
        json.loads(line)
        for line in (tmp_path / "logs" / "gateway-test.log").read_text().splitlines()
        if "request-17" in line
    ]
    assert line["http.request.id"] == "request-17"
    assert line["http.response.status_code"] == 201
    assert line["url.path"] == "/things"
    assert line["event.duration"] > 0
    assert line["log.level"] == "info"
    assert "Bearer" not in json.dumps(line)
