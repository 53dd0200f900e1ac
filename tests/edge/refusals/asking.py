"""Refusals of how something is asked: by whom, with what key, of what version."""

from typing import Any
from uuid import uuid4

from bus.notifications import SetPreferences
from tests.edge.contract import Role
from tests.edge.front import CARD, key
from tests.edge.pictures import FORM
from tests.edge.refusals.orders import while_ordering
from tests.edge.refusals.table import provokes
from tests.edge.scene import Scene

JSON = {"Content-Type": "application/json"}


@provokes("authentication-required", 401)
async def _nobody(scene: Scene) -> Any:
    return await scene.front.guest.send("GET /orders")


@provokes("forbidden", 403)
async def _unsigned(scene: Scene) -> Any:
    return await scene.front.guest.send("POST /payments/webhooks/sandbox", b"{}")


@provokes("not-found", 404)
async def _unknown(scene: Scene) -> Any:
    return await scene.people[Role.ADMIN].send(f"GET /orders/{uuid4()}")


@provokes("version-mismatch", 412)
async def _old_version(scene: Scene) -> Any:
    choice = {"types": {"PROMOTION": {"in_app": False}}}
    old = {"If-Match": '"99"'}
    person = scene.people[Role.OTHER]
    return await person.send("PUT /notifications/preferences", choice, **old)


@provokes("idempotency-key-reused", 422)
async def _other_body(scene: Scene) -> Any:
    person, once = scene.people[Role.OTHER], key()
    await person.call("POST /payments/methods", 201, CARD, **once)
    other = {**CARD, "token": "tok_mastercard"}
    return await person.send("POST /payments/methods", other, **once)


@provokes("request-in-progress", 409)
async def _still_running(scene: Scene) -> Any:
    return await while_ordering(scene, again=True)


@provokes("no-choice", 422)
async def _no_choice(scene: Scene) -> Any:
    user_id = scene.people[Role.OTHER].user_id
    assert user_id is not None
    return await scene.front.shop.ask(SetPreferences(user_id=user_id, types={}))


@provokes("invalid-idempotency-key", 422)
async def _short_key(scene: Scene) -> Any:
    short = {"Idempotency-Key": "once"}
    return await scene.people[Role.OTHER].send("POST /payments/methods", CARD, **short)


@provokes("invalid-cursor", 422)
async def _foreign_cursor(scene: Scene) -> Any:
    return await scene.people[Role.OTHER].send("GET /orders?cursor=bm93aGVyZQ")


@provokes("invalid-request", 422)
async def _half_a_line(scene: Scene) -> Any:
    return await scene.front.guest.send("POST /cart/items", {"sku": scene.sku})


@provokes("malformed-json", 400)
async def _half_a_body(scene: Scene) -> Any:
    return await scene.front.guest.send("POST /cart/items", b'{"sku": ', **JSON)


@provokes("malformed-request", 400)
async def _no_form(scene: Scene) -> Any:
    return await scene.people[Role.OTHER].send("POST /upload", b"no form", **FORM)


@provokes("method-not-allowed", 405)
async def _wrong_verb(scene: Scene) -> Any:
    return await scene.front.guest.send("PATCH /cart")


@provokes("body-too-large", 413)
async def _too_long(scene: Scene) -> Any:
    body = b" " * (scene.front.gateway.settings.body_bytes_max + 1)
    return await scene.front.guest.send("POST /cart/items", body, **JSON)
