"""What payments looks after by itself: failing providers, and seals of old keys."""

from datetime import UTC, datetime, timedelta
from itertools import groupby
from uuid import UUID

from cryptography.fernet import InvalidToken

from actors.kit.domain import handles
from actors.kit.process import Run
from actors.payments.till import Till
from bus.kit.refusals import Unavailable
from bus.kit.values import Done
from bus.payments import (
    CheckProvider,
    NoteProvider,
    ProviderFailing,
    ProviderRecovered,
    Reseal,
    ResealMethods,
    ScheduleReseal,
)
from persistence.kit.transaction import Tx
from persistence.payments import (
    find_methods,
    mark_failing,
    mark_recovered,
    reseal_methods,
    stale_methods,
)

PROBE_SECONDS = 15
RESEAL_HOURS = 24
METHODS_PAGE_MAX = 200


class Chores(Till):
    """Small processes that come by their timers."""

    # --- providers -----------------------------------------------------------

    @handles(NoteProvider)
    async def note_provider(self, tx: Tx, m: NoteProvider) -> Done:
        """Remember how a provider does; only a change is told, whoever saw it first.

        While it fails it is asked now and then, so that its recovery is seen without a
        customer's payment.
        """
        if m.failing:
            if await mark_failing(tx, m.provider):
                tx.tell(ProviderFailing(provider=m.provider, failures=m.failures))
                self.log.error("provider-failing", provider=m.provider)
            at = tx.now + timedelta(seconds=PROBE_SECONDS)
            tx.due(f"provider:{m.provider}", at, CheckProvider(provider=m.provider))
        elif await mark_recovered(tx, m.provider):
            tx.tell(ProviderRecovered(provider=m.provider))
            tx.cancel_due(f"provider:{m.provider}")
            self.log.info("provider-recovered", provider=m.provider)
        return Done()

    @handles(CheckProvider)
    async def check_provider(self, run: Run, m: CheckProvider) -> Done:
        """Ask for the smallest thing that every provider answers."""
        until = datetime.fromtimestamp(self.clock.now(), UTC)
        moved = self.desk.named(m.provider).transactions(
            until - timedelta(seconds=1), until
        )
        try:
            async for _ in moved:
                pass
        except Unavailable:
            await run.step(NoteProvider(provider=m.provider, failing=True))
        else:
            await run.step(NoteProvider(provider=m.provider, failing=False))
        return Done()

    # --- seals ---------------------------------------------------------------

    @handles(ScheduleReseal)
    async def schedule_reseal(self, tx: Tx, m: ScheduleReseal) -> Done:
        """Look at once after a start, and then once a day."""
        hours = RESEAL_HOURS if m.begun else 0
        at = tx.now + timedelta(hours=hours)
        tx.due(f"reseal:{m.vault}", at, Reseal(vault=m.vault))
        return Done()

    @handles(Reseal)
    async def reseal(self, run: Run, m: Reseal) -> Done:
        """Seal anew what an old key has sealed, person by person, page by page."""
        await run.step(ScheduleReseal(vault=m.vault, begun=True))
        after: UUID | None = None
        found = 0
        while True:
            async with self.read() as db:
                page = await stale_methods(db, self.vault.mark, after, METHODS_PAGE_MAX)
            by_person = sorted(page, key=lambda method: method.user_id)
            for user_id, methods in groupby(by_person, lambda one: one.user_id):
                ids = tuple(method.id for method in methods)
                await run.ask(ResealMethods(user_id=user_id, method_ids=ids))
            found += len(page)
            if len(page) < METHODS_PAGE_MAX:
                break
            after = page[-1].id
        if found:
            self.log.info("methods-resealed", found=found, key=self.vault.mark)
        return Done()

    @handles(ResealMethods)
    async def reseal_methods(self, tx: Tx, m: ResealMethods) -> Done:
        """Open with whichever key fits, seal with the first."""
        methods = await find_methods(tx, list(m.method_ids))
        changed = []
        for method in methods.values():
            try:
                sealed = self.vault.reseal(method.sealed)
            except InvalidToken:
                self.log.error("seal-unreadable", method_id=str(method.id))
                continue
            changed.append((method, sealed))
        if changed:
            await reseal_methods(tx, self.vault.mark, changed)
        return Done()
