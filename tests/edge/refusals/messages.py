"""Refusals of messaging: templates, retries, reports that nobody signed."""

from typing import Any
from uuid import uuid4

from tests.edge.contract import Role
from tests.edge.refusals.table import provokes
from tests.edge.scene import Scene

TEMPLATES_MAX = 500
PARTS = {"subject": "Hello", "mjml": "<mj-text>Hello</mj-text>", "text": "Hello"}


@provokes("template-broken", 422)
async def _broken(scene: Scene) -> Any:
    return await _create(scene, mjml="<mj-text>Hello")


@provokes("template-exists", 409)
async def _there(scene: Scene) -> Any:
    name = f"t-{uuid4().hex[:8]}"
    assert (await _create(scene, name=name)).status_code == 201
    return await _create(scene, name=name)


@provokes("templates-full", 409)
async def _no_room(scene: Scene) -> Any:
    rows = scene.front.shop.rows
    await rows(
        "messaging",
        """INSERT INTO email_templates
             (name, locale, subject, mjml, text, description, sample, actor_id,
              removed, version, created_at, updated_at)
           SELECT 'filling-' || n, 'en', '', '', '', '', '{}', gen_random_uuid(),
                  false, 1, now(), now()
           FROM generate_series(1, $1) AS n""",
        TEMPLATES_MAX,
    )
    answer = await _create(scene)
    await rows("messaging", "DELETE FROM email_templates WHERE name ~ '^filling-'")
    return answer


@provokes("message-not-failed", 409)
async def _sent(scene: Scene) -> Any:
    line = "POST /messages/{message_id}/retry"
    person, line, _ = await scene.ask(Role.ADMIN, line, None)
    return await person.send(line)


@provokes("signature-invalid", 403)
async def _unsigned(scene: Scene) -> Any:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    line = "POST /messages/webhooks/twilio"
    return await scene.front.guest.send(line, b"MessageSid=SM1", **form)


async def _create(scene: Scene, **more: Any) -> Any:
    body = {"name": f"t-{uuid4().hex[:8]}", "locale": "en", **PARTS, **more}
    return await scene.people[Role.ADMIN].send("POST /email-templates", body)
