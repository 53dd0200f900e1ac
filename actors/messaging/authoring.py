"""The shop's own templates: checked, saved, shown, tried."""

import msgspec

from actors.kit.domain import handles
from actors.messaging.checking import checked_template
from actors.messaging.samples import REQUIRED, SAMPLES
from actors.messaging.sending import Sending
from actors.messaging.templates import (
    UnusableTemplate,
    fallbacks,
    shipped_keys,
    shipped_view,
)
from bus.kit.refusals import FieldError, not_found, stale
from bus.kit.values import Page
from bus.messaging import (
    SHIPPED_VERSION,
    ChangeTemplate,
    CreateTemplate,
    GetTemplate,
    ListTemplates,
    Preview,
    PreviewTemplate,
    RemoveTemplate,
    TemplateSaved,
    TemplateText,
    TemplateView,
    template_broken,
    template_exists,
    templates_full,
)
from persistence import messaging as store
from persistence.kit.audit import names_changed
from persistence.kit.database import Db
from persistence.kit.transaction import Tx

WORDS = ("subject", "mjml", "text", "description", "sample")
"""What an author writes; the audit log tells which of it has changed."""


class Authoring(Sending):
    """What is broken is refused before it is saved; what is saved counts at once."""

    @handles(CreateTemplate)
    async def create_template(self, tx: Tx, command: CreateTemplate) -> TemplateSaved:
        """Insert once by name and locale."""
        checked_template(command.name, command.locale, command.content)
        if await store.count_own(tx) >= store.TEMPLATES_MAX:
            raise templates_full()
        version = await store.create_template(
            tx, command.name, command.locale, command.content, command.actor_id
        )
        if version is None:
            raise template_exists()
        tx.audit(command, _named(command), after={"version": version})
        return TemplateSaved(version=version)

    @handles(ChangeTemplate)
    async def change_template(self, tx: Tx, command: ChangeTemplate) -> TemplateSaved:
        """Compare-and-set on the version that was seen."""
        before = await self._one(tx, command.name, command.locale)
        if command.version not in (None, before.version):
            raise stale()
        content = command.content
        if before.version != SHIPPED_VERSION and not content.sample:
            content = msgspec.structs.replace(content, sample=before.sample)
        checked_template(command.name, command.locale, content)
        about = command.name, command.locale, content, command.actor_id
        if before.version == SHIPPED_VERSION:
            if await store.count_own(tx) >= store.TEMPLATES_MAX:
                raise templates_full()
            version = await store.create_template(tx, *about)
        else:
            version = await store.change_template(tx, *about, version=before.version)
        if version is None:
            raise stale()
        after = {"version": version, "changed": names_changed(before, content, *WORDS)}
        tx.audit(command, _named(command), {"version": before.version}, after)
        return TemplateSaved(version=version)

    @handles(RemoveTemplate)
    async def remove_template(self, tx: Tx, command: RemoveTemplate) -> TemplateSaved:
        """The row stays behind, so that a version never means two things."""
        before = await self._one(tx, command.name, command.locale)
        if before.version == SHIPPED_VERSION:
            raise not_found("template of the shop's own")
        if command.version not in (None, before.version):
            raise stale()
        version = await store.remove_template(
            tx, command.name, command.locale, command.actor_id, version=before.version
        )
        if version is None:
            raise stale()
        tx.audit(command, _named(command), {"version": before.version})
        return TemplateSaved(version=version)

    @handles(GetTemplate)
    async def get_template(self, db: Db, query: GetTemplate) -> TemplateView:
        """The one that a mail of this locale would be made from."""
        return await self._nearest(db, query.name, query.locale)

    @handles(ListTemplates)
    async def list_templates(self, db: Db, query: ListTemplates) -> Page[TemplateView]:
        """By name and locale; few enough to be read at once."""
        own = {(it.name, it.locale): it for it in await store.own_templates(db, None)}
        keys = sorted(own.keys() | set(shipped_keys()))
        if query.cursor is not None:
            name, _, locale = query.cursor.partition(" ")
            keys = [key for key in keys if key > (name, locale)]
        items = tuple(
            _shown(own.get(key) or shipped_view(*key)) for key in keys[: query.limit]
        )
        more = len(keys) > query.limit
        return Page(items, " ".join(keys[query.limit - 1]) if more else None)

    @handles(PreviewTemplate)
    async def preview_template(self, db: Db, query: PreviewTemplate) -> Preview:
        """Make a mail for trial; nothing is saved or sent."""
        draft = {
            field: value
            for field in ("subject", "mjml", "text")
            if (value := getattr(query, field)) is not None
        }
        if len(draft) < 3:  # else there is nothing of what is saved in it
            saved = await self._nearest(db, query.name, query.locale)
            parts = {name: getattr(saved, name) for name in ("subject", "mjml", "text")}
            draft, sample = {**parts, **draft}, saved.sample
        else:
            sample = SAMPLES.get(query.name, {})
        sample = {**sample, **query.data}
        content = TemplateText(**draft, sample=sample)
        compiled = checked_template(query.name, query.locale, content)
        try:
            return compiled.render(query.locale, {"shop_url": self.shop_url, **sample})
        except UnusableTemplate as error:
            wrong = FieldError("data", "not-rendered", str(error.__cause__)[:200])
            raise template_broken(wrong) from error

    async def _one(self, db: Db, name: str, locale: str) -> TemplateView:
        """Exactly this one: the shop's own, or the shipped one."""
        own = await store.own_templates(db, [name])
        found = next((it for it in own if it.locale == locale), None)
        return _shown(found or shipped_view(name, locale))

    async def _nearest(self, db: Db, name: str, locale: str) -> TemplateView:
        own = {it.locale: it for it in await store.own_templates(db, [name])}
        for step in fallbacks(locale):
            if found := own.get(step) or shipped_view(name, step):
                return _shown(found)
        return _shown(own[min(own)] if own else None)


def _named(command: CreateTemplate | ChangeTemplate | RemoveTemplate) -> str:
    """A template in the audit log."""
    return f"{command.name}/{command.locale}"


def _shown(view: TemplateView | None) -> TemplateView:
    if view is None:
        raise not_found("template")
    required = REQUIRED.get(view.name, ())
    sample = {**view.sample, **SAMPLES.get(view.name, {})}
    return msgspec.structs.replace(view, required=required, sample=sample)
