"""The standing audit: asks each domain what was written, and compares it with others'.

It changes nothing and keeps nothing but what it suspects, so a start, a kill or a
frozen copy costs a walk and no more. It has no database and no role: it asks.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar
from uuid import NAMESPACE_OID, UUID, uuid5

from actors.auditing import effects, kits
from actors.auditing.counts import Counts
from actors.auditing.effects import Events, Pace, look_at_events, odd_notifications
from actors.auditing.findings import Findings, Open, Scope
from actors.auditing.looks import look
from actors.auditing.reading import Ask, Away, asked, read
from actors.auditing.waiting import Waiting
from actors.auditing.walking import Walk
from bus.kit.books import Found, Written, changed_since
from bus.kit.refusals import ENDS
from bus.kit.settings import Settings
from bus.notifications import RaiseAlert

T = TypeVar("T")

RIPE_SECONDS = 1.5
"""How long what was written is let be: most of it has settled by then."""
SHARE = 0.04
"""The part of the time that rounds take: the rest of it they rest."""
ROUND_SECONDS = 0.1
"""How long a round should take: it looks at more, or less, until it does."""
LOOKS_MIN, LOOKS_MAX = 25, 800
OPEN_LOOKS_MAX = 100
ALERTS_MAX = 10
ODD_MAX = 1_000
BEGINNING = 2
WORDS_MAX = 300

UNITS = {
    "orders": "order",
    "order_lines": "order",
    "timeline": "order",
    "payments": "order",
    "attempts": "order",
    "refunds": "order",
    "ledger_lines": "order",
    "holds": "order",
    "timed_holds": "order",
    "shipped": "order",
    "purchases": "order",
    "stock": "sku",
    "sku_stock": "sku",
    "variants": "sku",
    "product_replica": "sku",
    "products": "product",
    "notifications": "notification",
}
"""By table what is looked at when one of its rows was written."""


class Auditor:
    """Walks what changes, for ever; `ask` reaches the domains.

    `consumers` are the kinds of events that each domain handles, `share` is the part of
    the time that it may take.
    """

    def __init__(
        self,
        ask: Ask,
        settings: Settings,
        consumers: Mapping[str, frozenset[str]],
        *,
        log: Any,
        share: float = SHARE,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._ask = ask
        self._settings = settings
        self._consumers = consumers
        self._log = log
        self._share = share
        self._now = now
        self._sleep = sleep
        self._cursors = dict.fromkeys(consumers, BEGINNING)
        self._windows: dict[str, int] = {}
        self._waiting = {unit: Waiting() for unit in (*set(UNITS.values()), "event")}
        self._events = Events()
        self._pace = Pace()
        self._busy: set[str] = set()
        self._odd: dict[str, list[str]] = {}
        self._calm_since = 0.0
        self._looks = LOOKS_MAX
        self._away: set[str] = set()
        self.walk = Walk(now)
        self.findings = Findings()
        self.counts = Counts(self.findings, self._waiting, self.walk)

    async def run(self) -> None:
        """One round after another, with a rest that grows with what a round takes."""
        while True:
            began_at = self._now()
            try:
                await self.round()
            except Exception as error:  # noqa: BLE001 - a bug ends one round
                self._log.error("audit-failed", exc_info=error)
            took = self._now() - began_at
            self.counts.round(took)
            self._pace_looks(took)
            rest = took * (1 / self._share - 1)
            await self._sleep(max(self._settings.audit_seconds, rest))

    def _pace_looks(self, took: float) -> None:
        """Look at fewer where a round takes long, so that the next one comes soon."""
        change = 2 if took < ROUND_SECONDS / 2 else 0.5 if took > ROUND_SECONDS else 1
        self._looks = int(min(max(self._looks * change, LOOKS_MIN), LOOKS_MAX))

    async def round(self) -> None:
        """Hear what was written, look at what is ripe, tell what stands."""
        self._away = set()
        await asyncio.gather(*(self._hear(name) for name in self._consumers))
        looks = (self._look_at_products, self._look_at_units, self._look_at_effects)
        for one in looks:
            try:
                await one()
            except Away as away:
                self._is_away(away)
        await self._walk()
        await self._tell()

    # --- hearing -----------------------------------------------------------------

    async def _hear(self, domain: str) -> None:
        """What a domain has written since, and how its kit stands."""
        since = self._cursors[domain]
        query = changed_since(domain)(
            since=since, checks_since=self._windows.get(domain)
        )
        try:
            written: Written = await asked(self._ask, domain, query)
        except Away as away:
            self._is_away(away)
            return
        if written.lost:
            self._cursors[domain] = BEGINNING
            return
        self._cursors[domain] = written.next
        self._queue(written, domain)
        self._judge(domain, since, written)

    def _queue(self, written: Written, domain: str) -> None:
        now = self._now()
        for name, keys in written.keys.items():
            if unit := UNITS.get(name):
                self._waiting[unit].add(keys, now)
                for key in keys:
                    self.findings.disturb((unit, key), now)
        self._waiting["event"].add(self._events.add(domain, written.kit.events), now)
        for name, keys in written.removed.items():
            self._removed(name, keys, now)
        for name in written.cut:
            self.walk.begin(domain, name)

    def _removed(self, name: str, keys: Iterable[str], now: float) -> None:
        """What is gone by hand is looked at by what it belonged to."""
        if name in ("handled", "notifications", "messages"):
            makers = (self._events.maker(key) for key in keys)
            self._waiting["event"].add((key for key in makers if key), now)
        elif name in ("attempts", "refunds", "ledger_lines"):
            self.walk.begin("payments", "payments")  # they name the payment alone
        elif unit := UNITS.get(name):
            self._waiting[unit].add(keys, now)
            if name == "purchases":
                events = (one for key in keys for one in self._events.of_order(key))
                self._waiting["event"].add(events, now)

    def _judge(self, domain: str, since: int, written: Written) -> None:
        """What the domain says of itself stands in one moment of its database."""
        shards = self._settings.shards(domain)
        of_kit = kits.wrong_with_kit(domain, written, shards)
        self._note(("kit", domain), of_kit)
        found = kits.with_domain(domain, written.found)
        self._note(("self", domain), found)
        if found:
            self._windows.setdefault(domain, since)
        elif domain in self._windows:
            del self._windows[domain]
        if domain == "orders":
            self._busy = kits.busy_orders(written.kit)

    # --- looking -----------------------------------------------------------------

    async def _look_at_products(self) -> None:
        """A product that was written is looked at by its SKUs."""
        keys = self._take("product")
        if keys:
            wanted = {"products": {"variants_of": keys}}
            found = await self._or_again("product", keys, read(self._ask, wanted))
            skus = {row.sku for row in found["variants"]}
            self._waiting["sku"].add(sorted(skus), self._now())

    async def _or_again(self, unit: str, keys: list[str], answer: Awaitable[T]) -> T:
        """An answer; where a domain is away the keys wait again. Raises Away."""
        try:
            return await answer
        except Away:
            self._waiting[unit].add(keys, self._now())
            raise

    async def _look_at_units(self) -> None:
        for unit in ("order", "sku"):
            keys = self._take(unit)
            if not keys:
                continue
            found = await self._or_again(unit, keys, look(self._ask, unit, keys))
            self.counts.looked(unit, len(keys))
            for key in keys:
                if key in self._busy:
                    self.findings.disturb((unit, key), self._now())
                self._note((unit, key), found.get(key, ()))

    async def _look_at_effects(self) -> None:
        """The events that are ripe, and notifications that follow from none of them."""
        keys = self._take("event")
        for order in await self._hear_odd():
            keys += self._events.of_order(order)
        known = self._events.get(dict.fromkeys(keys))
        if not known:
            return
        more = [one for each in known for one in self._odd.get(each.order or "", ())]
        looked = look_at_events(self._ask, known, self._consumers, more)
        books = await self._or_again("event", keys, looked)
        self.counts.looked("event", len(known))
        self._pace.see(books)
        wrong = effects.wrong_with(books, known)
        for each in known:
            key = str(each.told.row.id)
            found = [one for one in wrong.get(key, []) if self._late(one, each, books)]
            self._note(("event", key), found)
            if key in wrong and not found:
                self._waiting["event"].add([key], self._now())

    def _late(self, found: Found, each: effects.Known, books: Any) -> bool:
        """Whether a finding is more than that a domain has much to do."""
        if found[0] != "event-handled":
            return True
        return self._pace.is_late(found[1].split()[0], each.told, books.now)

    async def _hear_odd(self) -> list[str]:
        """The orders with new notifications that follow from none of their events.

        They are kept: a second look must see them, too.
        """
        taken = self._take("notification")
        keys = [key for key in taken if self._events.maker(key) is None]
        if not keys:
            return []
        wanted = {"notifications": {"notifications": keys}}
        found = await self._or_again("notification", keys, read(self._ask, wanted))
        odd = odd_notifications(found["notifications"], self._events)
        for order, ids in odd.items():
            if len(self._odd) < ODD_MAX or order in self._odd:
                self._odd[order] = sorted({*ids, *self._odd.get(order, ())})[:ODD_MAX]
        return list(odd)

    async def _walk(self) -> None:
        """A page of the walk through all rows, where little else is to be done."""
        if self._away or any(len(one) > LOOKS_MIN for one in self._waiting.values()):
            return
        try:
            page = await self.walk.page(self._ask)
        except Away as away:
            self._is_away(away)
            return
        for name, keys in page.items():
            self._waiting[UNITS[name]].add(keys, self._now() - RIPE_SECONDS)

    def _take(self, unit: str) -> list[str]:
        """What is ripe, and first of all what something is suspected of."""
        suspected = self.findings.scopes(unit)[:OPEN_LOOKS_MAX]
        ripe = self._waiting[unit].take(self._looks, self._now() - RIPE_SECONDS)
        return list(dict.fromkeys([*suspected, *ripe]))

    # --- saying ------------------------------------------------------------------

    def _is_away(self, away: Away) -> None:
        self._away.add(away.domain)
        self._calm_since = self._now()
        self.counts.away(away.domain)
        self._log.warning("audit-waits", domain=away.domain, reason=away.reason)

    def _note(self, scope: Scope, found: Iterable[Found]) -> None:
        confirmed = self.findings.note(
            scope, found, self._now(), calm_since=self._calm_since
        )
        for check, ids, words in confirmed:
            self.counts.found(check)
            self._log.error("audit-finding", check=check, about=ids, detail=words)

    async def _tell(self) -> None:
        """Raise an alert of each finding, once by what it says, as many as are let."""
        for one in self.findings.untold()[:ALERTS_MAX]:
            try:
                await self._ask(alert_of(one.found), id=alert_id(one.found), join=True)
            except ENDS as end:
                self._log.warning("audit-alert-waits", error=repr(end))
                return
            self.findings.tell(one)


def alert_id(found: Found) -> UUID:
    """The id of a finding's alert: the same whoever finds it, however often."""
    return uuid5(NAMESPACE_OID, "\n".join(("standing-audit", *found)))


def alert_of(found: Found) -> RaiseAlert:
    """What administrators are told of a finding."""
    check, ids, words = (part[:WORDS_MAX] for part in found)
    return RaiseAlert(
        about=f"audit/{check}/{ids}",
        title=f"The books disagree: {check}",
        body=f"{ids}: {words}. See `scripts/audit`."[:WORDS_MAX],
        facts={"check": check, "ids": ids, "detail": words},
    )


__all__ = ["Auditor", "Open", "alert_id", "alert_of"]
