"""The contract walk: every route of the shop's own domains, for every role."""

from typing import Any

import pytest

from serve_app.app import build, routers
from tests.edge.contract import ROUTES, STREAMS, Role, Route
from tests.edge.front import Front, key, order
from tests.edge.pictures import FORM
from tests.edge.scene import Scene
from tests.gateway.readers import Reader

ELSEWHERE = {"/health/ready"}  # it asks pools and a bus: tests/gateway, tests/e2e
WITH_BODY = [route for route in ROUTES if isinstance(route.body, dict)]
FORMS = {
    ("POST", "/upload"): FORM,
    ("POST", "/products/import"): {"Content-Type": "text/csv"},
}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.line)
async def test_a_route_lets_in_whom_the_contract_names(
    scene: Scene, route: Route
) -> None:
    answers = {}
    for role in Role:
        person, line, body = await scene.ask(role, route.line, route.body)
        form = FORMS.get((route.method, route.path), {})
        answers[role] = (await person.send(line, body, **form)).status_code
    assert answers == {role: route.status(role) for role in Role}


@pytest.mark.parametrize("route", STREAMS, ids=lambda route: route.line)
async def test_a_stream_lets_in_whom_the_contract_names(
    scene: Scene, route: Route
) -> None:
    app = build(scene.front.gateway, routers())
    answers = {}
    for role in Role:
        person, line, _ = await scene.ask(role, route.line, None)
        reader = await Reader(app, line.split()[1], person._headers).began()
        answers[role] = reader.status
        await reader.leave()
    assert answers == {role: route.status(role) for role in Role}


@pytest.mark.parametrize("route", WITH_BODY, ids=lambda route: route.line)
async def test_a_field_that_nobody_knows_is_refused(scene: Scene, route: Route) -> None:
    person, line, body = await scene.ask(route.allowed(), route.line, route.body)
    assert await person.wrong(line, {**body, "colour": "red"}) == ["colour"]


async def test_the_table_names_every_route_that_is_served_and_no_other(
    front: Front,
) -> None:
    document = (await front.http.get("/api/openapi.json")).json()
    served = {
        (method.upper(), path): operation
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if path not in ELSEWHERE
    }
    table = {(route.method, route.path) for route in (*ROUTES, *STREAMS)}
    assert len(table) == len(ROUTES) + len(STREAMS)
    assert sorted(served) == sorted(table), "a route has come or gone: contract.py"
    takes_body = {key for key, one in served.items() if "requestBody" in one}
    assert takes_body == {
        *((route.method, route.path) for route in WITH_BODY),
        *FORMS,
    }


async def test_wherever_a_body_is_too_large_the_document_says_so(scene: Scene) -> None:
    """And that it may come too late, which is a matter of the same reading."""
    document = (await scene.front.http.get("/api/openapi.json")).json()
    large = b" " * (scene.front.gateway.settings.body_bytes_max + 1)
    refused = set()
    for route in ROUTES:
        if route.method in ("GET", "DELETE") or (route.method, route.path) in FORMS:
            continue
        person, line, _ = await scene.ask(Role.ADMIN, route.line, None)
        answer = await person.send(line, large, **key())
        operation = document["paths"][route.path][route.method.lower()]
        if answer.status_code == 413:
            refused.add(route.line)
            assert {"408", "413"} <= operation["responses"].keys(), route.line
    assert {route.line for route in WITH_BODY} <= refused
    assert "POST /products/{product_id}/restore" in refused


async def test_a_stranger_sees_of_stock_what_may_be_bought_and_no_more(
    scene: Scene,
) -> None:
    shown: dict[Role, Any] = {}
    for role in Role:
        person, line, _ = await scene.ask(role, "GET /inventory/{sku}", None)
        shown[role] = set(await person.call(line, 200))
    whole = {"sku", "available", "warehouses", "version"}
    public = {"sku", "available"}
    keepers = (Role.SELLER, Role.ADMIN)
    assert shown == {role: whole if role in keepers else public for role in Role}


async def test_lists_hold_ones_own_alone(scene: Scene) -> None:
    person = scene.people[Role.CUSTOMER]
    made = (await person.call("POST /orders", 201, order((scene.sku, 1))))["id"]
    seen = {}
    for role in (Role.CUSTOMER, Role.OTHER, Role.SELLER, Role.FOREIGN, Role.ADMIN):
        page = await scene.people[role].call("GET /orders?limit=100", 200)
        seen[role] = [one["id"] for one in page["items"]]
    may_see = {role for role, ids in seen.items() if made in ids}
    assert may_see == {Role.CUSTOMER, Role.SELLER, Role.ADMIN}
