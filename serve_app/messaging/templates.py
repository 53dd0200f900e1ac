"""Routes of mail templates, for administrators."""

from typing import Annotated, Any

import msgspec
from fastapi import Path, Query
from pydantic import Field

from bus.kit.refusals import FieldError
from bus.kit.values import Page
from bus.messaging import (
    LOCALE_DEFAULT,
    ChangeTemplate,
    CreateTemplate,
    GetTemplate,
    ListTemplates,
    Preview,
    PreviewTemplate,
    RemoveTemplate,
    TemplateText,
    TemplateView,
)
from serve_app.kit.bodies import Body, Text, invalid_request
from serve_app.kit.routing import (
    ADMIN,
    Answer,
    Caller,
    ExpectedVersion,
    Pages,
    ask,
    created,
)
from serve_app.messaging.router import router

SUBJECT_CHARACTERS_MAX = 200
MJML_CHARACTERS_MAX = 64_000
TEXT_CHARACTERS_MAX = 20_000
DESCRIPTION_CHARACTERS_MAX = 500
DATA_BYTES_MAX = 16_000

_NAME = r"^[a-z][a-z0-9_-]{0,63}$"
_LOCALE = r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}$"
_ONE_LINE = r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"

Name = Annotated[str, Field(pattern=_NAME)]
Locale = Annotated[str, Field(pattern=_LOCALE)]
Subject = Annotated[
    str, Field(min_length=1, max_length=SUBJECT_CHARACTERS_MAX, pattern=_ONE_LINE)
]
Mjml = Annotated[str, Field(min_length=1, max_length=MJML_CHARACTERS_MAX)]
PlainText = Annotated[str, Field(min_length=1, max_length=TEXT_CHARACTERS_MAX)]
Description = Annotated[Text, Field(max_length=DESCRIPTION_CHARACTERS_MAX)]
NameInPath = Annotated[str, Path(pattern=_NAME)]
LocaleInQuery = Annotated[
    str | None,
    Query(pattern=_LOCALE, description=f"Default: `{LOCALE_DEFAULT}`."),
]


class TemplateBody(Body):
    """A template's parts; each may name places, as `{{ number }}`.

    `sample` says what a template with a name of its own is tried with; what the shop
    sends by itself has samples already.
    """

    subject: Subject
    mjml: Mjml
    text: PlainText
    locale: Locale | None = None
    description: Description = ""
    sample: dict[str, Any] = {}

    def content(self) -> TemplateText:
        """The parts as the domain knows them."""
        return TemplateText(
            subject=self.subject,
            mjml=self.mjml,
            text=self.text,
            description=self.description,
            sample=bounded(self.sample, "sample"),
        )


class NewTemplateBody(TemplateBody):
    """The same, and what it is called."""

    name: Name


class PreviewBody(Body):
    """What to try: data over the sample, and a draft of some or all of the parts."""

    locale: Locale | None = None
    data: dict[str, Any] = {}
    subject: Subject | None = None
    mjml: Mjml | None = None
    text: PlainText | None = None


@router.get("/email-templates", access=ADMIN)
async def list_templates(pages: Pages) -> Page[TemplateView]:
    """List the mail templates by name and locale.

    `source` is `shipped`, or `own` where the shop has its own version. `sample` shows
    the data that a mail of this name gets, `required` what it must name.
    """
    return await ask(ListTemplates(limit=pages.limit, cursor=pages.cursor))


@router.post("/email-templates", access=ADMIN, idempotent=True, status=201)
async def create_template(
    body: NewTemplateBody, caller: Caller
) -> Answer[TemplateView]:
    """Make a template, or the shop's own version of a shipped one.

    It counts for every mail that is sent from now on. 409 `template-exists` where the
    shop has its own of this name and locale; 422 `template-broken` with field and line
    for MJML that is not strictly valid, for templates that cannot be read, that name
    what their data do not have, or do not name what they must (a code).

    `mjml` is a whole `<mjml>` document, or the content of a column of the shop's
    layout. Of Jinja it and `text` may use places, `if`, `for` over a list of the data,
    and filters such as `money`, `default`, `upper`; a mail for `de-AT` takes the
    template of `de-AT`, else `de`, else `en`.
    """
    locale = body.locale or LOCALE_DEFAULT
    await ask(
        CreateTemplate(
            name=body.name,
            locale=locale,
            content=body.content(),
            actor_id=caller.person,
        ),
        id=caller.command_id(),
    )
    view = await ask(GetTemplate(name=body.name, locale=locale))
    return created(view, f"/email-templates/{body.name}?locale={locale}")


@router.get("/email-templates/{name}", access=ADMIN)
async def get_template(name: NameInPath, locale: LocaleInQuery = None) -> TemplateView:
    """Show the template that a mail of this name and locale is made from."""
    return await ask(GetTemplate(name=name, locale=locale or LOCALE_DEFAULT))


@router.put("/email-templates/{name}", access=ADMIN)
async def change_template(
    name: NameInPath,
    body: TemplateBody,
    caller: Caller,
    version: ExpectedVersion,
    locale: LocaleInQuery = None,
) -> TemplateView:
    """Rewrite a template; of a shipped one this makes the shop's own version.

    Refused as in POST; 404 for a name and locale that is not there. The locale is that
    of the body or of the query, default `en`.
    """
    if locale and body.locale and locale != body.locale:
        wrong = FieldError("locale", "contradiction", "Body and query differ.")
        raise invalid_request([wrong])
    chosen = body.locale or locale or LOCALE_DEFAULT
    await ask(
        ChangeTemplate(
            name=name,
            locale=chosen,
            content=body.content(),
            version=version,
            actor_id=caller.person,
        )
    )
    return await ask(GetTemplate(name=name, locale=chosen))


@router.delete("/email-templates/{name}", access=ADMIN)
async def remove_template(
    name: NameInPath,
    caller: Caller,
    version: ExpectedVersion,
    locale: LocaleInQuery = None,
) -> None:
    """Remove the shop's own version; where one is shipped, that counts again.

    404 where the shop has none of its own.
    """
    await ask(
        RemoveTemplate(
            name=name,
            locale=locale or LOCALE_DEFAULT,
            version=version,
            actor_id=caller.person,
        )
    )


@router.post("/email-templates/{name}/preview", access=ADMIN)
async def preview_template(name: NameInPath, body: PreviewBody) -> Preview:
    """Make a mail for trial: `subject`, `text` and `html`, as it would be sent.

    Without a body it is what is saved, with its sample. `subject`, `mjml` and `text`
    try a draft (all three: of a name that need not exist yet), `data` go over the
    sample. Nothing is saved or sent; 422 `template-broken` as in POST.
    """
    return await ask(
        PreviewTemplate(
            name=name,
            locale=body.locale or LOCALE_DEFAULT,
            data=bounded(body.data, "data"),
            subject=body.subject,
            mjml=body.mjml,
            text=body.text,
        )
    )


def bounded(data: dict[str, Any], field: str) -> dict[str, Any]:
    """The same data, if they are few enough to be kept and tried."""
    if len(msgspec.json.encode(data)) > DATA_BYTES_MAX:
        raise invalid_request([FieldError(field, "too-large", "It is too large.")])
    return data
