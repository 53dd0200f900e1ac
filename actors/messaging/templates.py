"""Mail templates: MJML and text, compiled once a process, when a shard starts."""

from copy import copy
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import jinja2
from babel import Locale, UnknownLocaleError
from iso4217 import Currency
from mjml import mjml2html

from bus.kit.values import Value

FOLDER = Path(__file__).parent / "templates"
LOCALE_DEFAULT = "en"
DIGITS_DEFAULT = 2
_CONTENT = "<!-- content -->"

# What every template may name; a template that names anything else needs it as data.
_OPTIONAL = {"name": "", "link": "", "number": "", "minutes": 15, "complete": True}


class UnusableTemplate(Exception):
    """There is no such template, or its data lack something; the text is a code."""


class Rendered(Value, frozen=True):
    """A mail's subject and its two parts."""

    subject: str
    text: str
    html: str


class _Template(Value, frozen=True):
    subject: jinja2.Template
    text: jinja2.Template
    html: jinja2.Template


class Templates:
    """All templates by locale and name.

    A template is two files: `name.txt`, whose first line is the subject, and
    `name.mjml`, the content of a column of `layout.mjml`.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        options: dict[str, Any] = {
            "undefined": jinja2.StrictUndefined,
            "trim_blocks": True,
            "keep_trailing_newline": True,
        }
        self._plain = jinja2.Environment(autoescape=False, **options)  # noqa: S701
        self._html = jinja2.Environment(autoescape=True, **options)
        for environment in (self._plain, self._html):
            environment.filters["money"] = _money
        self._layout = (folder / "layout.mjml").read_text("utf-8")
        self._templates = {
            (path.parent.name, path.stem): self._compile(path)
            for path in sorted(folder.glob("*/*.txt"))
        }

    def names(self) -> set[str]:
        """The templates that exist in the default locale."""
        return {name for locale, name in self._templates if locale == LOCALE_DEFAULT}

    def render(self, name: str, locale: str, data: dict[str, Any]) -> Rendered:
        """A whole mail; raises UnusableTemplate."""
        template = self._find(name, locale)
        places = {**_OPTIONAL, "locale": locale, **data}
        try:
            return Rendered(
                template.subject.render(places),
                template.text.render(places),
                template.html.render(places),
            )
        except (jinja2.TemplateError, TypeError, ValueError, KeyError) as error:
            raise UnusableTemplate("template-data-wrong") from error

    def render_line(self, name: str, locale: str, data: dict[str, Any]) -> str:
        """The subject alone, which is what an SMS says; raises UnusableTemplate."""
        places = {**_OPTIONAL, "locale": locale, **data}
        try:
            return self._find(name, locale).subject.render(places)
        except (jinja2.TemplateError, TypeError, ValueError, KeyError) as error:
            raise UnusableTemplate("template-data-wrong") from error

    def _find(self, name: str, locale: str) -> _Template:
        language = locale.replace("-", "_").partition("_")[0]
        for known in (locale, language, LOCALE_DEFAULT):
            if template := self._templates.get((known, name)):
                return template
        raise UnusableTemplate("template-unknown")

    def _compile(self, path: Path) -> _Template:
        subject, _, text = path.read_text("utf-8").partition("\n")
        source = path.with_suffix(".mjml").read_text("utf-8")
        html = mjml2html(self._layout.replace(_CONTENT, source), fonts={})
        return _Template(
            self._plain.from_string(subject.removeprefix("Subject: ")),
            self._plain.from_string(text.lstrip("\n")),
            self._html.from_string(_broken(html)),
        )


@cache
def shop_templates() -> Templates:
    """The shop's own, one for all the shards of a process: nothing changes them."""
    return Templates()


def _broken(html: str) -> str:
    """The same HTML with a line a row: a mail's lines are short (RFC 5322 §2.1.1)."""
    for tag in ("<table", "<tr", "<td", "</td", "</tr", "</table", "<!--[if"):
        html = html.replace(">" + tag, ">\n" + tag)
    return html


@jinja2.pass_context
def _money(context: jinja2.runtime.Context, value: dict[str, Any]) -> str:
    """`{"amount": 1999, "currency": "USD"}` as people of the locale write it."""
    return _written(value["amount"], value["currency"], context["locale"])


@lru_cache(maxsize=4096)
def _written(amount: int, currency: str, locale: str) -> str:
    try:
        known = Locale.parse(locale.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        known = Locale(LOCALE_DEFAULT)
    digits = _digits(currency)
    pattern = copy(known.currency_formats["standard"])
    # What a locale shows of a currency by custom can be less than its minor units.
    pattern.frac_prec = (digits, digits)
    number = Decimal(amount).scaleb(-digits)
    return str(pattern.apply(number, known, currency=currency, currency_digits=False))


def _digits(currency: str) -> int:
    """How many decimals the minor unit of a currency has (ISO 4217)."""
    try:
        exponent: int | None = Currency(currency).exponent
    except ValueError:
        exponent = None
    return DIGITS_DEFAULT if exponent is None else exponent
