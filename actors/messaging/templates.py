"""Mail templates: MJML and text, compiled once, the shop's own before the shipped."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import jinja2

from actors.messaging.mjml import compile_mjml
from actors.messaging.money import money
from actors.messaging.samples import ALWAYS, DESCRIPTIONS, REQUIRED, SAMPLES
from actors.messaging.sandbox import BrokenSource, Program, Sandbox
from bus.kit.values import Value
from bus.messaging import (
    LOCALE_DEFAULT,
    SHIPPED_VERSION,
    Preview,
    TemplateText,
    TemplateView,
)
from persistence.messaging import TemplateKey

FOLDER = Path(__file__).parent / "templates"
_LAYOUT = (FOLDER / "layout.mjml").read_text("utf-8")
RENDERING = (jinja2.TemplateError, TypeError, ValueError, KeyError, ArithmeticError)
"""All that can come of data that do not fit."""

Made = TypeVar("Made")

PLAIN = Sandbox(autoescape=False, filters={"money": money})
HTML = Sandbox(autoescape=True, filters={"money": money})


class UnusableTemplate(Exception):
    """There is no such template, or its data lack something; the text is a code."""


class Compiled(Value, frozen=True):
    """A template's three programs, and the locale that it is written in."""

    locale: str
    subject: Program
    text: Program
    html: Program

    def render(self, locale: str, data: Mapping[str, Any]) -> Preview:
        """A whole mail; raises UnusableTemplate."""
        places = self._places(locale, data)
        try:
            return Preview(
                subject=self.subject.render(places),
                text=self.text.render(places),
                html=self.html.render(places),
            )
        except RENDERING as error:
            raise UnusableTemplate("template-data-wrong") from error

    def render_line(self, locale: str, data: Mapping[str, Any]) -> str:
        """The subject alone, which is what an SMS says; raises UnusableTemplate."""
        try:
            return self.subject.render(self._places(locale, data))
        except RENDERING as error:
            raise UnusableTemplate("template-data-wrong") from error

    def _places(self, locale: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """The data, and what every template may name.

        A German reader of an English mail reads English, numbers included.
        """
        wanted = locale.replace("_", "-")
        same = wanted.partition("-")[0] == self.locale.partition("-")[0]
        lang = wanted if same else self.locale
        return {**ALWAYS, **data, "locale": lang, "lang": lang}


class Templates:
    """All templates by name and locale: the shop's own, then those that are shipped.

    What is compiled is kept by its version. `take` says which of the shop's own count
    now: it is told with every batch, from the transaction that reads the batch.
    """

    def __init__(self, log: Any) -> None:
        self._log = log
        self._own: dict[tuple[str, str], tuple[int, Compiled | None]] = {}

    def missing(self, keys: Iterable[TemplateKey]) -> set[str]:
        """Names of those whose versions are not here, which `take` needs whole."""
        return {
            key.name
            for key in keys
            if self._own.get((key.name, key.locale), (None,))[0] != key.version
        }

    def take(
        self,
        names: Iterable[str],
        keys: Iterable[TemplateKey],
        new: Iterable[TemplateView],
    ) -> None:
        """Of these names exactly `keys` are the shop's own; `new` are compiled."""
        wanted = {(key.name, key.locale) for key in keys}
        about = set(names)
        for one in [key for key in self._own if key[0] in about and key not in wanted]:
            del self._own[one]
        for view in new:
            self._own[view.name, view.locale] = (view.version, self._compiled(view))

    def render(self, name: str, locale: str, data: Mapping[str, Any]) -> Preview:
        """A whole mail; raises UnusableTemplate.

        Where the shop's own version cannot be made of the data the shipped one is: a
        code that is asked for has to come.
        """
        return self._made(name, locale, lambda found: found.render(locale, data))

    def render_line(self, name: str, locale: str, data: Mapping[str, Any]) -> str:
        """The subject alone, which is what an SMS says; raises UnusableTemplate."""
        return self._made(name, locale, lambda found: found.render_line(locale, data))

    def _made(self, name: str, locale: str, make: Callable[[Compiled], Made]) -> Made:
        own, shipped = self._find(name, locale)
        if own is not None:
            try:
                return make(own)
            except UnusableTemplate:
                if shipped is None:
                    raise
                self._log.warning("own-template-unusable", template=name)
        if shipped is None:
            raise UnusableTemplate("template-unknown")
        return make(shipped)

    def _compiled(self, view: TemplateView) -> Compiled | None:
        """None for one that a newer release cannot read: it counts as absent."""
        try:
            return compile_template(view.locale, view)
        except BrokenSource as error:
            self._log.error("own-template-broken", template=view.name, code=error.code)
            return None

    def _find(self, name: str, locale: str) -> tuple[Compiled | None, Compiled | None]:
        """The shop's own and the shipped one, each the nearest to the locale.

        A shipped one in the reader's language goes before an own one in another.
        """
        own = {
            key[1]: compiled
            for key, (_, compiled) in self._own.items()
            if key[0] == name and compiled is not None
        }
        shipped = shop_templates()
        mine, theirs = nearest(own, locale), nearest(shipped.get(name, {}), locale)
        if mine is not None and theirs is not None:
            steps = fallbacks(locale)
            if steps.index(theirs.locale) < steps.index(mine.locale):
                mine = None
        return mine, theirs


def fallbacks(locale: str) -> list[str]:
    """Where a text is looked for: `de-AT`, `de`, and the default locale."""
    whole = locale.replace("_", "-")
    return list(dict.fromkeys((whole, whole.partition("-")[0], LOCALE_DEFAULT)))


def nearest(found: Mapping[str, Compiled], locale: str) -> Compiled | None:
    """The one nearest to the locale; any at all where a name has no default."""
    for step in fallbacks(locale):
        if step in found:
            return found[step]
    return found[min(found)] if found else None


@cache
def shop_templates() -> dict[str, dict[str, Compiled]]:
    """The shipped ones by name and locale, one for all the shards of a process."""
    found: dict[str, dict[str, Compiled]] = {}
    for name, locale in shipped_keys():
        found.setdefault(name, {})[locale] = compile_template(
            locale, shipped_text(name, locale)
        )
    return found


@cache
def shipped_keys() -> tuple[tuple[str, str], ...]:
    """The names and locales that are shipped, in their order.

    A template is two files: `name.txt`, whose first line is the subject, and
    `name.mjml`, the content of a column of `layout.mjml`.
    """
    return tuple(sorted((p.stem, p.parent.name) for p in FOLDER.glob("*/*.txt")))


@cache
def shipped_text(name: str, locale: str) -> TemplateText:
    """A shipped template as it is written."""
    path = FOLDER / locale / f"{name}.txt"
    subject, _, text = path.read_text("utf-8").partition("\n")
    return TemplateText(
        subject=subject.removeprefix("Subject: "),
        mjml=path.with_suffix(".mjml").read_text("utf-8"),
        text=text.lstrip("\n"),
        description=DESCRIPTIONS[name],
        sample=SAMPLES[name],
    )


def shipped_view(name: str, locale: str) -> TemplateView | None:
    """A shipped template as administrators see it."""
    if (name, locale) not in shipped_keys():
        return None
    content = shipped_text(name, locale)
    return TemplateView(
        name=name,
        locale=locale,
        source="shipped",
        subject=content.subject,
        mjml=content.mjml,
        text=content.text,
        description=content.description,
        sample=content.sample,
        required=REQUIRED.get(name, ()),
        version=SHIPPED_VERSION,
    )


def compile_template(locale: str, content: TemplateText | TemplateView) -> Compiled:
    """The programs of a template that has been checked."""
    return Compiled(
        locale,
        PLAIN.program(content.subject),
        PLAIN.program(content.text),
        HTML.program(compile_mjml(content.mjml, _LAYOUT)),
    )
