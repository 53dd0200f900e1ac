"""All domains' routes together keep the contract's general rules."""

import re
from pathlib import Path

import msgspec
import pytest
import schemathesis
from fastapi import FastAPI
from fastapi.routing import APIRoute

from serve_app.app import application, hearing, routers
from serve_app.kit.caller import Access
from serve_app.kit.declared import Declared, declared_of
from serve_app.kit.openapi import document
from tests.gateway.fakes import Front, Hands


@pytest.fixture
def whole(tmp_path: Path, clock: Hands) -> FastAPI:
    """The application with every domain in it."""
    return application(Front(tmp_path, clock).gateway, routers())


def declarations(app: FastAPI) -> list[tuple[str, str, Declared]]:
    """Method, path and declaration of each route."""
    found = []
    for route in app.routes:
        declared = declared_of(route)
        assert isinstance(route, APIRoute)
        assert declared is not None
        found += [(method, route.path, declared) for method in route.methods or ()]
    return found


def test_every_post_takes_an_idempotency_key_but_those_that_must_not(
    whole: FastAPI,
) -> None:
    without = re.compile(
        r"/auth/|/upload$|/payments/webhooks/|/messages/(webhooks/|bounces$)"
        r"|/email-templates/\{name\}/preview$"  # it changes nothing
    )
    wrong = [
        path
        for method, path, declared in declarations(whole)
        if method == "POST" and declared.idempotent == bool(without.match(path))
    ]
    assert wrong == []


def test_only_public_routes_are_kept_near(whole: FastAPI) -> None:
    near = [each for each in declarations(whole) if each[2].near is not None]
    assert near
    assert all(each[2].access is Access.PUBLIC for each in near)
    assert all(each[2].near and each[2].near.age_seconds <= 5 for each in near)


def test_no_two_routes_are_alike(whole: FastAPI) -> None:
    shapes = [
        (method, re.sub(r"\{[^}]+\}", "{}", path))
        for method, path, _ in declarations(whole)
    ]
    assert len(shapes) == len(set(shapes))


def test_the_whole_openapi_document_is_valid_and_complete(whole: FastAPI) -> None:
    raw = msgspec.json.encode(document(whole, "0")).decode()
    made = msgspec.json.decode(raw)
    schemathesis.openapi.from_dict(made).validate()
    references = set(re.findall(r'"#/components/schemas/([^"]+)"', raw))
    assert references <= set(made["components"]["schemas"])
    operations = [
        operation
        for methods in made["paths"].values()
        for operation in methods.values()
    ]
    assert all(operation["summary"] for operation in operations)
    ids = [operation["operationId"] for operation in operations]
    assert len(ids) == len(set(ids))


def test_the_gateway_hears_what_its_answers_are_made_of(
    tmp_path: Path, clock: Hands
) -> None:
    heard = hearing(Front(tmp_path, clock).gateway, routers())
    assert {"events.products.product_updated", "events.users.sessions_revoked"} <= set(
        heard._types
    )
