"""What reconciliation reads of the ledger, and what it remembers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from bus.kit.values import Money
from bus.payments import DiscrepancyKind, DiscrepancyView, ReconciliationView
from bus.payments.reconciling import DISCREPANCIES_SHOWN_MAX
from persistence.kit.database import Db
from persistence.kit.transaction import Tx
from persistence.payments.states import Booked, KnownKey

_BOOKED = """l.transaction_id AS key, l.payment_id, l.amount_minor, l.currency,
    p.order_id, a.number AS attempt, a.key AS charge_key, a.reference, a.created_at,
    r.id IS NOT NULL AS refund
  FROM ledger_lines l
  JOIN payments p ON p.id = l.payment_id
  LEFT JOIN refunds r ON r.id = l.transaction_id
  JOIN attempts a ON a.payment_id = l.payment_id
    AND (a.key = l.transaction_id OR a.number = r.attempt)"""


async def booked_keys(db: Db, account: str, keys: Sequence[UUID]) -> dict[UUID, Booked]:
    """The ledger's lines of these transactions, in that account."""
    rows = await db.fetch(
        f"SELECT {_BOOKED} WHERE l.account = $1 AND l.transaction_id = ANY($2::uuid[])",
        account,
        sorted(keys),
    )
    return {row["key"]: Booked(**dict(row)) for row in rows}


async def booked_between(
    db: Db,
    account: str,
    provider: str,
    since: datetime,
    until: datetime,
    after: UUID | None,
    limit: int,
) -> list[Booked]:
    """The ledger's lines of a provider's money in that time, by their transaction."""
    rows = await db.fetch(
        f"""SELECT {_BOOKED} WHERE l.account = $1 AND a.provider = $2
              AND l.created_at >= $3 AND l.created_at < $4
              AND ($5::uuid IS NULL OR l.transaction_id > $5)
            ORDER BY l.transaction_id LIMIT $6""",
        account,
        provider,
        since,
        until,
        after,
        limit,
    )
    return [Booked(**dict(row)) for row in rows]


async def known_keys(db: Db, keys: Sequence[UUID]) -> dict[UUID, KnownKey]:
    """Attempts and refunds by the providers' keys, booked or not.

    Attempts have no index on their key, for every order would pay for it; this is
    read once for a comparison, and only when something is not booked.
    """
    rows = await db.fetch(
        """SELECT a.key, a.payment_id, p.order_id, a.number AS attempt, a.status,
             a.amount_minor
           FROM attempts a JOIN payments p ON p.id = a.payment_id
           WHERE a.key = ANY($1::uuid[])
           UNION ALL
           SELECT r.id, r.payment_id, p.order_id, 0, r.status, -r.amount_minor
           FROM refunds r JOIN payments p ON p.id = r.payment_id
           WHERE r.id = ANY($1::uuid[])""",
        sorted(keys),
    )
    return {row["key"]: KnownKey(**dict(row)) for row in rows}


async def reconcile_times(
    tx: Tx, provider: str
) -> tuple[datetime | None, datetime | None]:
    """Until when a provider was reconciled, and when it is next."""
    row = await tx.fetchrow(
        "SELECT reconciled_until, reconcile_at FROM providers WHERE name = $1", provider
    )
    return (row["reconciled_until"], row["reconcile_at"]) if row else (None, None)


async def set_reconcile_at(tx: Tx, provider: str, at: datetime) -> None:
    """Remember when a provider is reconciled next."""
    await tx.execute(
        """INSERT INTO providers (name, reconcile_at) VALUES ($1, $2)
           ON CONFLICT (name) DO UPDATE SET reconcile_at = excluded.reconcile_at""",
        provider,
        at,
    )


async def insert_reconciliation(tx: Tx, view: ReconciliationView) -> bool:
    """Write a comparison, once by its id; False: it was written before."""
    row = await tx.fetchrow(
        """INSERT INTO reconciliations (id, provider, since, until, transactions,
             matched, found, created_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING
           RETURNING id""",
        view.id,
        view.provider,
        view.since,
        view.until,
        view.transactions,
        view.matched,
        view.found,
        view.created_at,
    )
    if row is None:
        return False
    await tx.execute(
        """UPDATE providers SET reconciled_until = greatest(reconciled_until, $2)
           WHERE name = $1""",
        view.provider,
        view.until,
    )
    return True


async def insert_discrepancies(
    tx: Tx, view: ReconciliationView, found: Sequence[DiscrepancyView]
) -> set[tuple[str, DiscrepancyKind]]:
    """Write what is new, or has come back; which those are."""
    rows = sorted(found, key=lambda one: (one.transaction, one.kind))
    new = await tx.fetch(
        """INSERT INTO discrepancies (provider, transaction, kind, reconciliation_id,
             payment_id, here_minor, there_minor, currency, found_at)
           SELECT $1, transaction, kind, $2, payment_id, here, there, currency, $3
           FROM unnest($4::text[], $5::text[], $6::uuid[], $7::bigint[], $8::bigint[],
             $9::text[]) AS found (transaction, kind, payment_id, here, there, currency)
           ON CONFLICT (provider, transaction, kind) DO UPDATE SET resolved_at = NULL,
             reconciliation_id = excluded.reconciliation_id,
             here_minor = excluded.here_minor, there_minor = excluded.there_minor,
             found_at = excluded.found_at
           WHERE discrepancies.resolved_at IS NOT NULL
           RETURNING transaction, kind""",
        view.provider,
        view.id,
        tx.now,
        [one.transaction for one in rows],
        [one.kind.value for one in rows],
        [one.payment_id for one in rows],
        [one.here.amount if one.here else None for one in rows],
        [one.there.amount if one.there else None for one in rows],
        [(one.here or one.there or Money(0, "")).currency for one in rows],
    )
    return {(row["transaction"], DiscrepancyKind(row["kind"])) for row in new}


async def resolve(tx: Tx, provider: str, agreed: Sequence[DiscrepancyView]) -> None:
    """Both sides agree by now."""
    await tx.execute(
        """UPDATE discrepancies SET resolved_at = $2
           FROM unnest($3::text[], $4::text[]) AS agreed (transaction, kind)
           WHERE provider = $1 AND discrepancies.transaction = agreed.transaction
             AND discrepancies.kind = agreed.kind AND resolved_at IS NULL""",
        provider,
        tx.now,
        [one.transaction for one in agreed],
        [one.kind.value for one in agreed],
    )


async def open_discrepancies(
    db: Db, provider: str, limit: int
) -> tuple[DiscrepancyView, ...]:
    """What both sides still disagree about, the newest first."""
    rows = await db.fetch(
        """SELECT * FROM discrepancies WHERE provider = $1 AND resolved_at IS NULL
           ORDER BY found_at DESC, transaction LIMIT $2""",
        provider,
        limit,
    )
    return tuple(map(_discrepancy, rows))


async def read_reconciliations(
    db: Db, provider: str | None, before: UUID | None, limit: int
) -> list[ReconciliationView]:
    """Comparisons with what they found, newest first."""
    reports = await db.fetch(
        """SELECT * FROM reconciliations WHERE ($1::text IS NULL OR provider = $1)
             AND ($2::uuid IS NULL OR (created_at, id) <
               (SELECT created_at, id FROM reconciliations WHERE id = $2))
           ORDER BY created_at DESC, id DESC LIMIT $3""",
        provider,
        before,
        limit,
    )
    found = await db.fetch(
        """SELECT * FROM discrepancies WHERE reconciliation_id = ANY($1::uuid[])
           ORDER BY found_at, transaction, kind LIMIT $2""",
        [row["id"] for row in reports],
        limit * DISCREPANCIES_SHOWN_MAX,
    )
    return [
        ReconciliationView(
            **dict(row),
            discrepancies=tuple(
                _discrepancy(one)
                for one in found
                if one["reconciliation_id"] == row["id"]
            )[:DISCREPANCIES_SHOWN_MAX],
        )
        for row in reports
    ]


def _discrepancy(row: Any) -> DiscrepancyView:
    def money(minor: int | None) -> Money | None:
        return None if minor is None else Money(minor, row["currency"])

    return DiscrepancyView(
        kind=DiscrepancyKind(row["kind"]),
        transaction=row["transaction"],
        payment_id=row["payment_id"],
        here=money(row["here_minor"]),
        there=money(row["there_minor"]),
        found_at=row["found_at"],
        resolved_at=row["resolved_at"],
    )
