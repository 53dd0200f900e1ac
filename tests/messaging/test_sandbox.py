"""What a template cannot do, whoever wrote it; and how long it may take."""

import time
from typing import Any

import jinja2
import pytest

from actors.messaging.checking import checked_template
from actors.messaging.mjml import compile_mjml
from actors.messaging.samples import DESCRIPTIONS, SAMPLES
from actors.messaging.sandbox import BrokenSource, OutOfBounds, Sandbox
from actors.messaging.templates import (
    FOLDER,
    fallbacks,
    nearest,
    shipped_keys,
    shipped_text,
    shop_templates,
)

PLAIN = Sandbox(autoescape=False, filters={})
HTML = Sandbox(autoescape=True, filters={})
SECONDS_MAX = 5.0


@pytest.mark.parametrize(
    "source",
    [
        *("{{ f() }}", "{{ a.b() }}", "{{ a * 3 }}", "{{ a ** 3 }}", "{{ a % 3 }}"),
        *("{% set a = 1 %}", "{% macro m() %}{% endmacro %}", "{% block b %}"),
        *("{% include 'a' %}", "{% extends 'a' %}", "{% import 'a' as b %}"),
        *("{% filter upper %}a{% endfilter %}", "{% call f() %}{% endcall %}"),
        *("{% with a = 1 %}{% endwith %}", "{{ {'a': 1} }}", "{{ _work }}"),
        *("{{ a|safe }}", "{{ a|map('upper') }}", "{{ a|replace('a', 'b') }}"),
        *("{{ a|format(1) }}", "{{ a|join(a) }}", "{{ a|counted(0) }}"),
        *("{{ self }}", "{{ super }}", "{{ a is callable }}", "{{ a|join(*b) }}"),
        *("{% for a in b recursive %}{% endfor %}", "{% for loop in b %}{% endfor %}"),
        *("{% do a %}", "{{ a", "{% if a %}" * 9 + "{% endif %}" * 9),
        *("{{ " + "a ~ " * 90 + "a }}", "{{ a }}" * 3_001),
        "{{ " + "(" * 5_000 + "1" + ")" * 5_000 + " }}",
        "{{ " + "not " * 5_000 + "a }}",
    ],
)
def test_what_is_not_a_place_a_condition_or_a_loop_is_refused(source: str) -> None:
    with pytest.raises(BrokenSource):
        PLAIN.program(source)


class Secret:
    """Something that is no data."""

    word = "hidden"


@pytest.mark.parametrize(
    "source",
    [
        *(
            "{{ a.__class__ }}",
            "{{ a['__class__'] }}",
            "{{ a.word }}",
            "{{ d.items.x }}",
        ),
        *("{{ l.append }}", "{{ l['0'] }}", "{{ t.format }}", "{{ nobody }}"),
        *("{{ d.nobody }}", "{{ l[9] }}", "{{ nobody.x.y }}"),
        *("{% for x in t %}{% endfor %}", "{% for x in d %}{% endfor %}"),
        *("{% for x in nobody %}{% endfor %}",),
    ],
)
def test_nothing_has_attributes_but_data(source: str) -> None:
    data: dict[str, Any] = {"a": Secret(), "d": {"k": 1}, "l": [1], "t": "text"}
    with pytest.raises(jinja2.TemplateError):
        PLAIN.program(source).render(data)


def test_loops_and_texts_end_in_time() -> None:
    data = {"l": list(range(3_000)), "t": "x" * 20_000}
    begun = time.monotonic()
    for source in (
        "{% for a in l %}{% for b in l %}{% endfor %}{% endfor %}",
        "{% for a in l %}{% for b in l %}{{ t|upper }}{% endfor %}{% endfor %}",
        "{% for a in l %}{{ t }}{% endfor %}",
        "{{ t }}" * 900,
        "{% for a in l if a %}{% for b in l if b == t %}{% endfor %}{% endfor %}",
    ):
        with pytest.raises(OutOfBounds):
            PLAIN.program(source).render(data)
    assert time.monotonic() - begun < SECONDS_MAX


def test_places_conditions_and_loops_do_as_written() -> None:
    source = (
        "{% for row in rows %}{{ loop.index }}. {{ row.items|default('-') }}"
        "{% if not loop.last %}, {% endif %}{% else %}none{% endfor %}"
    )
    program = PLAIN.program(source)
    assert program.places == {"rows"}
    rows = [{"items": "A"}, {"other": 1}]
    assert program.render({"rows": rows}) == "1. A, 2. -"
    assert program.render({"rows": []}) == "none"
    html = HTML.program("{{ a }}{{ '<i>' }}{{ a|upper }}").render({"a": "<b>"})
    assert html == "&lt;b&gt;&lt;i&gt;&lt;B&gt;"


@pytest.mark.parametrize(
    ("source", "code", "line"),
    [
        ("<mj-text>a</mj-text>\n</mj-column>", "not-closed", 2),
        ("<mj-text>\n\n<mj-text>a</mj-text></mj-text>", "tag-not-allowed", 3),
        ("<mj-text><style>a</style></mj-text>", "tag-not-allowed", 1),
        ("<mj-text>a < b</mj-text>", "syntax", 1),
        ("<mj-text a=b>c</mj-text>", "syntax", 1),
        ("<mj-text><![CDATA[a]]></mj-text>", "syntax", 1),
        ("<!--[if mso]><b><![endif]--><mj-text>a</mj-text>", "syntax", 1),
        ("<?xml version='1.0'?><mj-text>a</mj-text>", "syntax", 1),
        ('<mj-text><a href="javascript:x">b</a></mj-text>', "link-not-allowed", 1),
        ('<mj-image src="file:///etc/passwd" />', "link-not-allowed", 1),
        ('<mj-text color="a" color="b">c</mj-text>', "attribute-not-allowed", 1),
        ("<mjml><mj-head></mj-head></mjml>", "empty", 1),
        ("<!-- nothing -->", "empty", 1),
        ("<mj-text>" + "<b>" * 60_000, "too-deep", 1),
    ],
)
def test_mjml_is_read_strictly(source: str, code: str, line: int) -> None:
    with pytest.raises(BrokenSource) as caught:
        compile_mjml(source, "<!-- content -->")
    assert (caught.value.code, caught.value.line) == (code, line)


def test_every_shipped_template_passes_its_own_check_in_both_languages() -> None:
    names = {name for name, _ in shipped_keys()}
    assert set(SAMPLES) == names == set(DESCRIPTIONS)
    assert set(shipped_keys()) == {(n, loc) for n in names for loc in ("de", "en")}
    for name, locale in shipped_keys():
        made = checked_template(name, locale, shipped_text(name, locale)).render(
            locale, {"shop_url": "https://shop.example", **SAMPLES[name]}
        )
        assert f'<html lang="{locale}"' in made.html, (name, locale)
        assert made.text.strip()
    assert not list(FOLDER.glob("*/*.html"))


def test_a_locale_falls_back_to_its_language_and_then_to_english() -> None:
    assert fallbacks("de_AT") == ["de-AT", "de", "en"]
    assert fallbacks("en") == ["en"]
    letters = shop_templates()["letter"]
    for locale, found in (("de-CH", "de"), ("fr", "en"), ("en-GB", "en")):
        template = nearest(letters, locale)
        assert template is not None
        assert template.locale == found
    only = nearest({"de": letters["de"]}, "fr")
    assert only is letters["de"]
