"""What a template that somebody has written must be before it is saved."""

from collections.abc import Mapping
from typing import Any

from actors.messaging.samples import ALWAYS, FILLED, REQUIRED, SAMPLES
from actors.messaging.sandbox import BrokenSource, Program
from actors.messaging.templates import PLAIN, RENDERING, Compiled, compile_template
from bus.kit.refusals import FieldError
from bus.messaging import TemplateText, template_broken


def checked_template(name: str, locale: str, content: TemplateText) -> Compiled:
    """The same of one that somebody has written; refuses it as `template-broken`.

    It may name what its sample says (a shipped name has a sample of its own), must
    name what it is of no use without, and must make a mail of its sample.
    """
    sample = {**content.sample, **SAMPLES.get(name, {})}
    known = frozenset(sample) | frozenset(ALWAYS) | FILLED
    errors = []
    for field, source in (("subject", content.subject), ("text", content.text)):
        errors += _errors(field, source, known)
    errors += _errors("mjml", content.mjml, known)
    errors += _missing(name, content)
    if not content.text.strip():
        errors.append(FieldError("text", "required", "A mail has a text part."))
    if errors:
        raise template_broken(*errors)
    try:
        compiled = compile_template(locale, content)
    except BrokenSource as error:
        raise template_broken(_error("mjml", error)) from error
    _tried(compiled, sample)
    return compiled


def _tried(compiled: Compiled, sample: Mapping[str, Any]) -> None:
    """Refuse what makes no mail of its sample, or an empty one."""
    places = {**ALWAYS, **sample, "locale": compiled.locale, "lang": compiled.locale}
    places["shop_url"] = "https://shop.example"
    for field in ("subject", "text", "html"):
        program: Program = getattr(compiled, field)
        shown = "mjml" if field == "html" else field
        try:
            made = program.render(places)
        except RENDERING as error:
            wrong = FieldError(shown, "not-rendered", str(error)[:200])
            raise template_broken(wrong) from error
        if not made.strip():
            raise template_broken(FieldError(shown, "empty", "It says nothing."))


def _errors(field: str, source: str, known: frozenset[str]) -> list[FieldError]:
    try:
        _, places = PLAIN.checked(source)
    except BrokenSource as error:
        return [_error(field, error)]
    return [
        FieldError(field, "undefined", f"Line {line}: there is no «{name}».")
        for name, line in sorted(places.items())
        if name not in known
    ]


def _missing(name: str, content: TemplateText) -> list[FieldError]:
    found = []
    for place in REQUIRED.get(name, ()):
        for field, source in (("text", content.text), ("mjml", content.mjml)):
            try:
                _, places = PLAIN.checked(source)
            except BrokenSource:
                continue  # said already
            if place not in places:
                detail = f"It must name «{place}»."
                found.append(FieldError(field, "required-place", detail))
    return found


def _error(field: str, error: BrokenSource) -> FieldError:
    return FieldError(field, error.code, f"Line {error.line}: {error.detail}"[:300])
