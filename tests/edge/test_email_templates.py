"""Mail templates over HTTP: the shipped ones, the shop's own, and what is refused."""

from typing import Any
from uuid import uuid4

import pytest

from bus.kit.addressing import new_id
from bus.messaging import ListMailbox, SendEmail
from tests.edge.front import Front, key
from tests.payments.support import until

TEMPLATES = "/email-templates"
MJML = "<mj-text>Dear {{ name }}, <b>{{ number }}</b></mj-text>"
PARTS = {"subject": "We have {{ number }}", "mjml": MJML, "text": "Dear {{ name }}!"}
WHOLE = (
    "<mjml><mj-body><mj-section><mj-column><mj-text>{{ code }}</mj-text></mj-column>"
    "</mj-section></mj-body></mjml>"
)
CODE = {"subject": "Code", "mjml": WHOLE, "text": "{{ code }}", "locale": "en"}
CUSTOM = {**PARTS, "sample": {"name": "Ann", "number": "1"}}


async def mail_of(front: Front, template: str, **data: Any) -> Any:
    """What a mail of a template says, once it was caught."""
    to = f"{uuid4().hex}@example.com"
    mail = SendEmail(message_id=new_id(), to=to, template=template, data=data)
    await front.shop.ask(mail)

    async def caught() -> Any:
        return (await front.shop.ask(ListMailbox(to=to))).items

    (found,) = await until(caught)
    return found


async def test_a_shop_has_its_own_version_until_it_removes_it(front: Front) -> None:
    admin = await front.person("ADMIN")
    place = f"{TEMPLATES}/order_delivered"
    shipped = await admin.call(f"GET {place}", 200)
    assert (shipped["source"], shipped["version"]) == ("shipped", 0)
    assert shipped["subject"] == "Your order {{ number }} has arrived"
    once = key()
    new = {"name": "order_delivered", **PARTS, "description": "Ours"}
    made = await admin.call(f"POST {TEMPLATES}", 201, new, **once)
    assert admin.headers["location"] == f"{place}?locale=en"
    assert (made["source"], made["version"], made["text"]) == (
        *("own", 1),
        PARTS["text"],
    )
    tag = admin.headers["etag"]
    assert await admin.call(f"POST {TEMPLATES}", 201, new, **once) == made
    assert await admin.code(f"POST {TEMPLATES}", 409, new) == "template-exists"
    mail = await mail_of(front, "order_delivered", name="Bo<b>", number="7")
    assert (mail.subject, mail.text.strip()) == ("We have 7", "Dear Bo<b>!")
    assert "Dear Bo&lt;b&gt;, <b>7</b>" in mail.html
    other = {**PARTS, "subject": "{{ number }} is there"}
    changed = await admin.call(f"PUT {place}", 200, other, **{"If-Match": tag})
    assert (changed["version"], changed["created_at"]) == (2, made["created_at"])
    code = await admin.code(f"PUT {place}", 412, PARTS, **{"If-Match": tag})
    assert code == "version-mismatch"
    code = await admin.code(f"DELETE {place}", 412, **{"If-Match": tag})
    assert code == "version-mismatch"
    assert await admin.call(f"GET {place}", 200) == changed
    mail = await mail_of(front, "order_delivered", number="8")
    assert mail.subject == "8 is there"
    await admin.call(f"DELETE {place}", 204)
    assert await admin.call(f"GET {place}", 200) == shipped
    assert await admin.code(f"DELETE {place}", 404) == "not-found"
    mail = await mail_of(front, "order_delivered", number="9")
    assert mail.subject == "Your order 9 has arrived"
    again = await admin.call(f"PUT {place}", 200, PARTS)
    assert again["version"] == 4, "a version never means two things"
    await admin.call(f"DELETE {place}?locale=en", 204)


async def test_a_shop_makes_templates_of_its_own_names(front: Front) -> None:
    admin = await front.person("ADMIN")
    name = f"t{uuid4().hex[:8]}"
    place = f"{TEMPLATES}/{name}"
    assert await admin.code(f"PUT {place}", 404, CUSTOM) == "not-found"
    assert await admin.code(f"POST {place}/preview", 404, {}) == "not-found"
    await admin.call(f"POST {TEMPLATES}", 201, {"name": name, **CUSTOM})
    german = {**CUSTOM, "locale": "de", "subject": "Wir haben {{ number }}"}
    await admin.call(f"POST {TEMPLATES}", 201, {"name": name, **german})
    seen = await admin.call(f"GET {place}?locale=de-AT", 200)
    assert (seen["locale"], seen["subject"]) == ("de", german["subject"])
    keys, cursor = [], ""
    while cursor is not None:
        page = await admin.call(f"GET {TEMPLATES}?limit=9{cursor}", 200)
        keys += [(one["name"], one["locale"], one["source"]) for one in page["items"]]
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
    assert keys == sorted(keys)
    assert {(name, "en", "own"), (name, "de", "own")} < set(keys)
    assert ("verify_email", "de", "shipped") in keys
    mixed = {**german, "locale": "en"}
    await admin.wrong(f"PUT {place}?locale=de", mixed)
    await admin.call(f"DELETE {place}?locale=de", 204)
    await admin.call(f"DELETE {place}", 204)
    assert await admin.code(f"GET {place}", 404) == "not-found"


LOOP = "{% for a in [1,2,3] %}{% for b in [1,2,3] %}x{% endfor %}{% endfor %}"
BROKEN: list[tuple[dict[str, str], str, str]] = [
    ({"mjml": "<mj-text>{{ number }}"}, "mjml", "not-closed"),
    ({"mjml": "<mj-txt>x</mj-txt>"}, "mjml", "tag-not-allowed"),
    ({"mjml": '<mj-text colr="red">x</mj-text>'}, "mjml", "attribute-not-allowed"),
    ({"mjml": '<mj-include path="/etc/passwd" />'}, "mjml", "tag-not-allowed"),
    ({"mjml": "<mj-raw><script>1</script></mj-raw>"}, "mjml", "tag-not-allowed"),
    ({"mjml": '<mj-text><a onclick="x">y</a></mj-text>'}, "mjml", "attribute-not-a"),
    ({"mjml": "<mjml><mj-body></mj-body></mjml>"}, "mjml", "empty"),
    ({"mjml": "no mjml at all"}, "mjml", "text-misplaced"),
    ({"mjml": "<mj-text>{% if number %}x</mj-text>"}, "mjml", "syntax"),
    ({"mjml": "<mj-text>" + "<b>" * 9_000 + "</mj-text>"}, "mjml", "too-deep"),
    ({"text": "{% for"}, "text", "syntax"),
    ({"text": "{{ nobody }}"}, "text", "undefined"),
    ({"text": "{{ name.first.second }}"}, "text", "not-rendered"),
    ({"text": "{{ ''.__class__.__mro__ }}"}, "text", "not-rendered"),
    ({"text": "{{ name.upper() }}"}, "text", "not-allowed"),
    ({"text": "{% for i in range(10**9) %}x{% endfor %}"}, "text", "not-allowed"),
    ({"text": "{{ 'a' * 1000000000 }}"}, "text", "not-allowed"),
    ({"text": "{{ '%0999999999d' % 1 }}"}, "text", "not-allowed"),
    ({"text": "{{ 'a'|center(1000000000) }}"}, "text", "not-allowed"),
    ({"text": "{% include 'letter' %}"}, "text", "not-allowed"),
    ({"text": "{% set a = 1 %}x"}, "text", "not-allowed"),
    ({"text": "{# nothing #} "}, "text", "empty"),
    ({"subject": "{{ nobody }}"}, "subject", "undefined"),
]


async def test_a_broken_template_is_refused_and_not_saved(front: Front) -> None:
    admin = await front.person("ADMIN")
    name = f"t{uuid4().hex[:8]}"
    for change, field, code in BROKEN:
        body = {**CUSTOM, **change}
        for line, sent in (
            (f"POST {TEMPLATES}", {"name": name, **body}),
            ("PUT /email-templates/order_delivered", {**PARTS, **change}),
            (f"POST {TEMPLATES}/order_delivered/preview", change),
        ):
            problem = await admin.call(line, 422, sent)
            assert problem["code"] == "template-broken", change
            found = problem["errors"][0]
            assert found["field"] == field, (change, problem)
            assert found["code"].startswith(code), (change, problem)
    no_code = {**CODE, "text": "Hello"}
    problem = await admin.call("PUT /email-templates/verify_email", 422, no_code)
    (error,) = problem["errors"]
    assert (error["field"], error["code"]) == ("text", "required-place")
    late = {**CUSTOM, "name": name, "mjml": "<mj-text>a\nb\n{{ nobody }}</mj-text>"}
    problem = await admin.call(f"POST {TEMPLATES}", 422, late)
    assert problem["errors"][0]["detail"] == "Line 3: there is no «nobody»."
    for change in (
        {"subject": "a\r\nBcc: x@y.example"},
        {"subject": ""},
        {"text": ""},
        {"mjml": "<mj-text>" + "x" * 64_000 + "</mj-text>"},
        {"locale": "../en"},
        {"name": "../../etc"},
        {"html": "<p>x</p>"},
        {"sample": {"a": "x" * 20_000}},
    ):
        assert await admin.wrong(
            f"POST {TEMPLATES}", {"name": name, **CUSTOM, **change}
        )
    assert await admin.code(f"GET {TEMPLATES}/{name}", 404) == "not-found"
    seen = await admin.call("GET /email-templates/order_delivered", 200)
    assert seen["source"] == "shipped"


async def test_a_template_is_tried_before_it_is_saved(front: Front) -> None:
    admin = await front.person("ADMIN")
    line = f"POST {TEMPLATES}/verify_email/preview"
    saved = await admin.call(line, 200, {})
    assert saved["subject"] == "Your Souk code: 271828"
    assert '<html lang="en"' in saved["html"]
    german = await admin.call(line, 200, {"locale": "de-AT", "data": {"code": "314"}})
    assert german["subject"] == "Ihr Souk-Code: 314"
    assert '<html lang="de-AT"' in german["html"]
    draft = await admin.call(line, 200, {"subject": "{{ code }}\u2003for {{ name }}"})
    assert draft["subject"] == "271828\u2003for Ann"
    assert draft["text"] == saved["text"]
    whole = {**CODE, "data": {"code": "<1>"}}
    made = await admin.call(f"POST {TEMPLATES}/not_there_yet/preview", 200, whole)
    assert made["text"] == "<1>"
    assert "&lt;1&gt;" in made["html"]
    big = {"text": "{{ code }}" * 900, "data": {"code": "x" * 9_000}}
    problem = await admin.call(line, 422, big)
    assert problem["errors"][0]["code"] == "not-rendered"
    often = "{% for a in names %}{% for b in names %}{{ code }}{% endfor %}{% endfor %}"
    loops = {**CODE, "text": often, "data": {"code": "1", "names": [1] * 2_000}}
    problem = await admin.call(line, 422, loops)
    assert problem["errors"][0]["detail"] == "It loops too often."
    assert (await admin.call("GET /email-templates/verify_email", 200))["version"] == 0


@pytest.mark.parametrize("role", ["CUSTOMER", "SELLER"])
async def test_templates_are_for_administrators_alone(front: Front, role: str) -> None:
    person = await front.person(role)
    for line, body in (
        (f"GET {TEMPLATES}", None),
        (f"POST {TEMPLATES}", {"name": "t", **CUSTOM}),
        (f"GET {TEMPLATES}/letter", None),
        (f"PUT {TEMPLATES}/letter", PARTS),
        (f"DELETE {TEMPLATES}/letter", None),
        (f"POST {TEMPLATES}/letter/preview", {}),
        ("GET /messages/suppressions", None),
        ("DELETE /messages/suppressions/a@example.com", None),
        (f"GET /messages/{uuid4()}", None),
    ):
        assert await person.code(line, 403, body) == "forbidden"
        assert await front.guest.code(line, 401, body) == "authentication-required"
