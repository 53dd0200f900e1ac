"""The reconciliation process: by a timer and on demand, provider by provider."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from actors.kit.domain import handles
from actors.kit.process import Run
from actors.payments.comparing import (
    MOVED,
    agreed,
    compare,
    key_of,
    late,
    missing_there,
    unbooked_difference,
)
from actors.payments.ledger import PROVIDER
from actors.payments.provider import (
    ChargeAsk,
    Provider,
    ProviderTransaction,
    RefundAsk,
)
from actors.payments.till import Till
from bus.kit.cursors import id_of
from bus.kit.refusals import not_found
from bus.kit.values import Done, Money, Page
from bus.payments import (
    DISCREPANCIES_SHOWN_MAX,
    ApplyWebhook,
    AttemptStatus,
    BeginReconcile,
    CloseReconcile,
    DiscrepancyKind,
    DiscrepancyView,
    ListProviders,
    ListReconciliations,
    Outcome,
    Reconcile,
    ReconciliationMismatch,
    ReconciliationView,
    RefundStatus,
    ScheduleReconcile,
    Window,
)
from persistence.kit.database import Db
from persistence.kit.transaction import Tx
from persistence.payments import (
    Booked,
    booked_between,
    booked_keys,
    insert_discrepancies,
    insert_reconciliation,
    known_keys,
    open_discrepancies,
    read_reconciliations,
    reconcile_times,
    resolve,
    set_reconcile_at,
)

LAG_SECONDS = 300
"""What is younger is left to the next comparison: it may be on its way here."""
OVERLAP_HOURS = 1
FIRST_DAYS = 7
PAGE_MAX = 200
DIFFERENCES_MAX = 1_000
LOOKUPS_MAX = 500


class Comparison:
    """What one comparison has seen so far."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.transactions = 0
        self.matched: set[UUID] = set()
        self.seen: set[UUID] = set()
        self.unbooked: list[ProviderTransaction] = []
        self.differs: dict[tuple[str, DiscrepancyKind], DiscrepancyView] = {}
        self.returned: list[tuple[UUID, int]] = []

    def differ(self, *found: DiscrepancyView) -> None:
        """Note differences, each once, however often the provider lists it.

        Beyond the bound they are left to the next comparison.
        """
        for one in found:
            if len(self.differs) < DIFFERENCES_MAX:
                self.differs[one.transaction, one.kind] = one


class Reconciling(Till):
    """Compares the ledger with the providers' own lists; each difference is told once.

    It reads on its own connections, page by page, and writes in one step at its end.
    """

    @property
    def reconcile_lag(self) -> timedelta:
        """How young money may be without being looked at."""
        return timedelta(seconds=LAG_SECONDS)

    @handles(Reconcile)
    async def reconcile(self, run: Run, wish: Reconcile) -> ReconciliationView:
        """Compare what was moved since the last time, and a little before."""
        if wish.provider not in self.desk.names:
            raise not_found("payment provider")
        window = await run.step(BeginReconcile(provider=wish.provider))
        seen = Comparison(window)
        provider = self.desk.named(wish.provider)
        await self._their_side(provider, seen)
        await self._unbooked(seen)
        await self._our_side(provider, seen)
        closed = await run.settle(
            CloseReconcile(
                provider=wish.provider,
                id=run.id,
                since=window.since,
                until=window.until,
                transactions=seen.transactions,
                matched=len(seen.matched),
                discrepancies=tuple(seen.differs.values()),
                resolved=tuple(await self._resolved(seen)),
            )
        )
        for order_id, attempt in seen.returned:
            taken = Outcome(status=AttemptStatus.SUCCEEDED)
            await run.ask(
                ApplyWebhook(order_id=order_id, attempt=attempt, outcome=taken)
            )
        return closed

    @handles(ScheduleReconcile)
    async def schedule_reconcile(self, tx: Tx, message: ScheduleReconcile) -> Done:
        """Set the timer where there is none; a start puts nothing off."""
        _, at = await reconcile_times(tx, message.provider)
        if at is None:
            await self._set_next(tx, message.provider)
        return Done()

    @handles(BeginReconcile)
    async def begin_reconcile(self, tx: Tx, message: BeginReconcile) -> Window:
        """Set the next comparison first: whatever becomes of this one, it comes."""
        until_before, _ = await reconcile_times(tx, message.provider)
        await self._set_next(tx, message.provider)
        lag = self.reconcile_lag + self.desk.named(message.provider).lag
        until = tx.now - lag
        since = until - timedelta(days=FIRST_DAYS)
        if until_before is not None:
            since = until_before - timedelta(hours=OVERLAP_HOURS)
        still_open = await open_discrepancies(tx, message.provider, DIFFERENCES_MAX)
        return Window(since=since, until=until, open=still_open)

    @handles(CloseReconcile)
    async def close_reconcile(self, tx: Tx, m: CloseReconcile) -> ReconciliationView:
        """Write the report once by its id; tell and log what is new."""
        view = ReconciliationView(
            id=m.id,
            provider=m.provider,
            since=m.since,
            until=m.until,
            transactions=m.transactions,
            matched=m.matched,
            found=len(m.discrepancies),
            discrepancies=m.discrepancies[:DISCREPANCIES_SHOWN_MAX],
            created_at=tx.now,
        )
        if not await insert_reconciliation(tx, view):
            return view
        facts = {"report": m.id, "matched": m.matched, "found": view.found}
        tx.audit(m, m.provider, after=facts)
        if m.resolved:
            await resolve(tx, m.provider, m.resolved)
        if m.discrepancies:
            new = await insert_discrepancies(tx, view, m.discrepancies)
            for one in m.discrepancies:
                if (one.transaction, one.kind) in new:
                    self._tell_mismatch(tx, view, one)
        return view

    @handles(ListProviders)
    async def list_providers(
        self,
        db: Db,  # noqa: ARG002 - its name makes this a query
        query: ListProviders,  # noqa: ARG002
    ) -> tuple[str, ...]:
        """The names of the providers that the shop is set up with."""
        return self.desk.names

    @handles(ListReconciliations)
    async def list_reconciliations(
        self, db: Db, query: ListReconciliations
    ) -> Page[ReconciliationView]:
        """The comparisons, newest first."""
        views = await read_reconciliations(
            db, query.provider, id_of(query.cursor), query.limit + 1
        )
        more = len(views) > query.limit
        views = views[: query.limit]
        return Page(tuple(views), str(views[-1].id) if more else None)

    async def _set_next(self, tx: Tx, provider: str) -> None:
        at = tx.now + timedelta(minutes=self.settings.reconcile_minutes)
        await set_reconcile_at(tx, provider, at)
        tx.due(f"reconcile:{provider}", at, Reconcile(provider=provider))

    def _tell_mismatch(
        self, tx: Tx, view: ReconciliationView, one: DiscrepancyView
    ) -> None:
        tx.tell(
            ReconciliationMismatch(
                provider=view.provider,
                reconciliation_id=view.id,
                difference=one.kind,
                transaction=one.transaction,
                payment_id=one.payment_id,
            )
        )
        self.log.error(
            "reconciliation-mismatch",
            provider=view.provider,
            kind=one.kind.value,
            transaction=one.transaction,
            payment_id=str(one.payment_id),
        )

    # --- the comparison ------------------------------------------------------

    async def _their_side(self, provider: Provider, seen: Comparison) -> None:
        """All that the provider has moved, page by page."""
        page: list[ProviderTransaction] = []
        window = seen.window
        async for transaction in provider.transactions(window.since, window.until):
            page.append(transaction)
            if len(page) == PAGE_MAX:
                await self._their_page(page, seen)
                page = []
        await self._their_page(page, seen)

    async def _their_page(
        self, page: Sequence[ProviderTransaction], seen: Comparison
    ) -> None:
        keys = [one.key for one in page if one.key]
        async with self.read() as db:
            found = compare(page, await booked_keys(db, PROVIDER, keys))
        seen.transactions += len(page)
        seen.matched.update(found.matched)
        seen.seen.update(one.key for one in page if one.key and one.status == MOVED)
        seen.seen.update(k for d in found.differs if (k := key_of(d)))
        seen.unbooked += found.unbooked[: DIFFERENCES_MAX - len(seen.unbooked)]
        seen.differ(*found.differs)

    async def _unbooked(self, seen: Comparison) -> None:
        """What was moved and is not booked: unknown here, or known to have failed."""
        keys = [one.key for one in seen.unbooked if one.key]
        if not seen.unbooked:
            return
        async with self.read() as db:
            known = await known_keys(db, keys)
        for one in seen.unbooked:
            attempt = known.get(one.key) if one.key else None
            if found := unbooked_difference(one, attempt):
                seen.differ(found)
            if attempt is not None and late(one, attempt):
                seen.returned.append((attempt.order_id, attempt.attempt))

    async def _our_side(self, provider: Provider, seen: Comparison) -> None:
        """What the ledger has of that time, and the provider's list has not.

        It may stand there at another time, so the provider is asked by the key.
        """
        window, after, lookups = seen.window, None, 0
        while True:
            async with self.read() as db:
                page = await booked_between(
                    db,
                    PROVIDER,
                    provider.name,
                    window.since,
                    window.until,
                    after,
                    PAGE_MAX,
                )
            for line in page:
                if line.key not in seen.seen and lookups < LOOKUPS_MAX:
                    lookups += 1
                    await self._look_up(provider, line, seen)
            if len(page) < PAGE_MAX:
                return
            after = page[-1].key

    async def _look_up(
        self, provider: Provider, line: Booked, seen: Comparison
    ) -> None:
        moved = await (_find_refund if line.refund else _find_charge)(provider, line)
        if moved:
            seen.matched.add(line.key)
        elif moved is not None:
            seen.differ(missing_there(line))

    async def _resolved(self, seen: Comparison) -> list[DiscrepancyView]:
        """Open differences that the ledger, or this comparison, has settled."""
        waiting = [
            one
            for one in seen.window.open
            if (one.transaction, one.kind) not in seen.differs
        ]
        keys = [key for one in waiting if (key := key_of(one))]
        if not keys:
            return []
        async with self.read() as db:
            booked = agreed(waiting, await booked_keys(db, PROVIDER, keys))
        return [one for one in waiting if key_of(one) in seen.matched or one in booked]


async def _find_charge(provider: Provider, line: Booked) -> bool | None:
    """Whether the provider has taken that money; None: it cannot be known now."""
    found = await provider.find_charge(
        ChargeAsk(
            key=line.charge_key,
            order_id=line.order_id,
            attempt=line.attempt,
            amount=line.money,
            token="",
            begun_at=line.created_at,
            reference=line.reference,
            wanted=False,
        )
    )
    if found is not None and found.status is AttemptStatus.UNKNOWN:
        return None
    return found is not None and found.status is AttemptStatus.SUCCEEDED


async def _find_refund(provider: Provider, line: Booked) -> bool | None:
    """Whether the provider has given that money back; None: it cannot be known now."""
    found = await provider.find_refund(
        RefundAsk(
            key=line.key,
            order_id=line.order_id,
            charge_key=line.charge_key,
            amount=Money(-line.amount_minor, line.currency),
            reference=line.reference,
            begun_at=line.created_at,
        )
    )
    if found is not None and found.status is RefundStatus.PENDING:
        return None
    return found is not None and found.status is RefundStatus.COMPLETED
