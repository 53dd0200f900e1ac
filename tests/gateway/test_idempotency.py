"""Idempotency-Key: what the edge makes of it."""

import hashlib
import json
from typing import Any
from uuid import UUID

import pytest

from serve_app.kit.caller import Caller
from tests.gateway.fakes import Front
from tests.gateway.test_problems import check

KEY = "5b1c0f3a-5a0e-4a53-9d2f-6c7f3a1b2c3d"


async def sent(front: Front, thing: dict[str, Any], **headers: str) -> dict[str, Any]:
    """The options that the ask of one request had."""
    raw = json.dumps(thing).encode()
    answer = await front.http.post(
        "/things", content=raw, headers={"content-type": "application/json", **headers}
    )
    assert answer.status_code == 201, answer.text
    return front.asker.asked[-1][1]


async def test_the_same_caller_route_and_key_give_the_same_command_id(
    front: Front, thing: dict[str, Any]
) -> None:
    headers = front.bearer() | {"Idempotency-Key": KEY}
    first = await sent(front, thing, **headers)
    again = await sent(front, thing, **headers)
    assert first["id"] == again["id"]
    assert first["id"].version == 5
    assert first["body_hash"] == hashlib.sha256(json.dumps(thing).encode()).digest()


async def test_another_body_has_the_same_id_and_another_hash(
    front: Front, thing: dict[str, Any]
) -> None:
    headers = {"Idempotency-Key": KEY}
    first = await sent(front, thing, **headers)
    other = await sent(front, thing | {"quantity": 2}, **headers)
    assert first["id"] == other["id"]
    assert first["body_hash"] != other["body_hash"]


async def test_callers_do_not_share_keys(front: Front, thing: dict[str, Any]) -> None:
    ids = {
        (await sent(front, thing, **{"Idempotency-Key": KEY}, **headers))["id"]
        for headers in (
            {},
            front.bearer(),
            {"X-Cart-Token": "a" * 43},
            {"X-Cart-Token": "b" * 43},
            {"X-Order-Token": "c" * 43},
        )
    }
    assert len(ids) == 5


async def test_without_a_key_each_request_is_its_own(
    front: Front, thing: dict[str, Any]
) -> None:
    first, second = await sent(front, thing), await sent(front, thing)
    assert first["id"] != second["id"]
    assert first["id"].version == 7
    assert first["body_hash"] is None


@pytest.mark.parametrize("key", ["", "short", "x" * 65, "with a space in it", "é" * 20])
async def test_a_malformed_key_is_422(
    front: Front, thing: dict[str, Any], key: str
) -> None:
    answer = await front.http.post(
        "/things", json=thing, headers={b"Idempotency-Key": key.encode("latin-1")}
    )
    check(answer, 422, "invalid-idempotency-key")
    assert front.asker.asked == []


async def test_a_route_that_forgets_its_command_id_is_a_bug(front: Front) -> None:
    assert (await front.http.post("/forgetful")).status_code == 200
    answer = await front.http.post("/forgetful", headers={"Idempotency-Key": KEY})
    check(answer, 500, "internal-error")


def test_commands_of_one_request_have_ids_of_their_own() -> None:
    caller = Caller(request_id="r", traceparent="t")
    caller.idempotent, caller.key, caller.route = True, KEY, "POST /x"
    assert caller.command_id() == caller.command_id()
    assert caller.command_id("a") != caller.command_id("b")
    caller.body_hash = b"h"
    assert caller.hash_for(caller.command_id("a")) == b"h"
    assert caller.hash_for(UUID(int=1)) is None
    assert caller.hash_for(None) is None


def test_routes_do_not_share_keys() -> None:
    ids = set()
    for route in ("POST /x", "POST /y"):
        caller = Caller(request_id="r", traceparent="t")
        caller.idempotent, caller.key, caller.route = True, KEY, route
        ids.add(caller.command_id())
    assert len(ids) == 2
