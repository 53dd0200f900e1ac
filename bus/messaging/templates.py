"""Mail templates: what the shop ships, and the shop's own versions of it."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from bus.kit.messages import ANY, Command, Query, by
from bus.kit.refusals import FieldError, Refusal, conflict, invalid
from bus.kit.values import Page, Value

LOCALE_DEFAULT = "en"
SHIPPED_VERSION = 0

Source = Literal["shipped", "own"]


class TemplateText(Value, frozen=True, kw_only=True):
    """What a template is made of; each part may name places, as `{{ number }}`.

    `mjml` is a whole `<mjml>` document or the content of a column of the shop's layout.
    `sample` are the data that it is tried with.
    """

    subject: str
    mjml: str
    text: str
    description: str = ""
    sample: dict[str, Any] = {}


class TemplateView(Value, frozen=True, kw_only=True):
    """A template of one locale; `source` says whether it is shipped or the shop's own.

    `required` are the places that it must name. Version 0 is the shipped one.
    """

    name: str
    locale: str
    source: Source
    subject: str
    mjml: str
    text: str
    description: str
    sample: dict[str, Any]
    required: tuple[str, ...]
    version: int
    created_at: datetime | None = None
    updated_at: datetime | None = None


class TemplateSaved(Value, frozen=True, kw_only=True):
    """A template was saved as this version."""

    version: int


class Preview(Value, frozen=True, kw_only=True):
    """A mail as it would be sent."""

    subject: str
    text: str
    html: str


# --- commands ----------------------------------------------------------------


class CreateTemplate(Command[TemplateSaved], frozen=True, kw_only=True):
    """Make the shop's own version of a template, or a new one.

    Refused as `template-exists` where the shop has its own already, `template-broken`
    and `templates-full`.
    """

    key = by("name")
    name: str
    locale: str
    content: TemplateText
    actor_id: UUID


class ChangeTemplate(Command[TemplateSaved], frozen=True, kw_only=True):
    """Change a template, with the version that was seen (None: whichever there is).

    The first change of a shipped one makes the shop's own version.
    """

    key = by("name")
    name: str
    locale: str
    content: TemplateText
    version: int | None
    actor_id: UUID


class RemoveTemplate(Command[TemplateSaved], frozen=True, kw_only=True):
    """Remove the shop's own version; a shipped one counts again."""

    key = by("name")
    name: str
    locale: str
    version: int | None
    actor_id: UUID


# --- queries -----------------------------------------------------------------


class GetTemplate(Query[TemplateView], frozen=True, kw_only=True):
    """The template that a mail of this name and locale is made from."""

    key = by("name")
    name: str
    locale: str


class ListTemplates(Query[Page[TemplateView]], frozen=True, kw_only=True):
    """All templates by name and locale, shipped ones unless the shop has its own."""

    key = ANY
    limit: int = 20
    cursor: str | None = None


class PreviewTemplate(Query[Preview], frozen=True, kw_only=True):
    """A mail made for trial from what is saved, or from a draft of it.

    `data` go over the template's sample. A draft field that is None is as saved.
    """

    key = by("name")
    name: str
    locale: str
    data: dict[str, Any] = {}
    subject: str | None = None
    mjml: str | None = None
    text: str | None = None


# --- refusals ----------------------------------------------------------------


def template_broken(*errors: FieldError) -> Refusal:
    """What was given makes no mail; `errors` name the field, and the line in it."""
    return invalid("template-broken", "The template is broken.", *errors)


def template_exists() -> Refusal:
    """The shop has its own version of this name and locale already."""
    return conflict("template-exists", "There is one of this name and locale.")


def templates_full() -> Refusal:
    """The shop has as many of its own as it may have."""
    return conflict("templates-full", "There is no room for another template.")
