"""Payments, attempts, refunds and the ledger: read and written in sets."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from msgspec import structs

from bus.payments import AttemptStatus, RefundStatus
from persistence.kit.database import Db
from persistence.kit.transaction import Tx
from persistence.payments.states import Attempt, LedgerLine, Payment, Refund


class BooksMoved(RuntimeError):
    """Rows were not as this shard remembered them: somebody else has written."""


async def load_payments(db: Db, ids: Sequence[UUID]) -> dict[UUID, Payment]:
    """The payments of these ids, whole; new orders cost one statement."""
    rows = await db.fetch("SELECT * FROM payments WHERE id = ANY($1::uuid[])", ids)
    if not rows:
        return {}
    known = [row["id"] for row in rows]
    attempts = await db.fetch(
        "SELECT * FROM attempts WHERE payment_id = ANY($1::uuid[])"
        " ORDER BY payment_id, number",
        known,
    )
    refunds = await db.fetch(
        "SELECT * FROM refunds WHERE payment_id = ANY($1::uuid[])"
        " ORDER BY payment_id, created_at, id",
        known,
    )
    attempts_of: dict[UUID, list[Attempt]] = {payment_id: [] for payment_id in known}
    for row in attempts:
        attempts_of[row["payment_id"]].append(_attempt(dict(row)))
    refunds_of: dict[UUID, list[Refund]] = {payment_id: [] for payment_id in known}
    for row in refunds:
        refunds_of[row["payment_id"]].append(_refund(dict(row)))
    return {
        row["id"]: Payment(
            **dict(row),
            attempts=tuple(attempts_of[row["id"]]),
            refunds=tuple(refunds_of[row["id"]]),
        )
        for row in rows
    }


async def save_payments(tx: Tx, payments: Sequence[Payment]) -> None:
    """Write payments of a next version; raises BooksMoved if one is not the next."""
    rows = sorted(payments, key=lambda payment: payment.id)
    written = await tx.fetch(
        """INSERT INTO payments (id, order_id, user_id, currency, method, amount_minor,
             captured_minor, refunded_minor, refunding_minor, version, created_at,
             updated_at)
           SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[],
             $5::text[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[],
             $10::int[], $11::timestamptz[], $12::timestamptz[])
           ON CONFLICT (id) DO UPDATE SET method = excluded.method,
             amount_minor = excluded.amount_minor,
             captured_minor = excluded.captured_minor,
             refunded_minor = excluded.refunded_minor,
             refunding_minor = excluded.refunding_minor,
             version = excluded.version, updated_at = excluded.updated_at
           WHERE payments.version = excluded.version - 1
           RETURNING id""",
        *_columns(
            rows,
            "id order_id user_id currency method amount_minor captured_minor"
            " refunded_minor refunding_minor version created_at updated_at",
        ),
    )
    if len(written) != len(rows):
        missed = {row.id for row in rows} - {row["id"] for row in written}
        raise BooksMoved(f"payments {sorted(missed)}")


async def save_attempts(tx: Tx, attempts: Sequence[tuple[UUID, Attempt]]) -> None:
    """Insert attempts, or move them on; raises BooksMoved.

    Of the final ones only those that took nothing move once more: their money came
    after all, and goes back.
    """
    rows = sorted(attempts, key=lambda pair: (pair[0], pair[1].number))
    written = await tx.fetch(
        """INSERT INTO attempts (payment_id, number, status, provider, key,
             amount_minor, method, sealed, decline_code, reference, asks, hold,
             given_up, created_at, closed_at, expires_at)
           SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[],
             $5::uuid[], $6::bigint[], $7::text[], $8::text[], $9::text[], $10::text[],
             $11::int[], $12::bool[], $13::bool[], $14::timestamptz[],
             $15::timestamptz[], $16::timestamptz[])
           ON CONFLICT (payment_id, number) DO UPDATE SET status = excluded.status,
             sealed = excluded.sealed, decline_code = excluded.decline_code,
             reference = excluded.reference, asks = excluded.asks,
             given_up = excluded.given_up, closed_at = excluded.closed_at,
             expires_at = excluded.expires_at
           WHERE attempts.status NOT IN ('SUCCEEDED', 'LATE')
             AND (attempts.status NOT IN ('DECLINED', 'VOIDED', 'EXPIRED')
                  OR excluded.status IN ('LATE', 'VOIDING'))
           RETURNING payment_id""",
        [payment_id for payment_id, _ in rows],
        *_columns(
            [attempt for _, attempt in rows],
            "number status provider key amount_minor method sealed decline_code"
            " reference asks hold given_up created_at closed_at expires_at",
        ),
    )
    if len(written) != len(rows):
        raise BooksMoved(f"attempts of {[payment_id for payment_id, _ in rows]}")


async def save_refunds(tx: Tx, refunds: Sequence[tuple[UUID, Refund]]) -> None:
    """Insert refunds, or move those that are not final; raises BooksMoved."""
    rows = sorted(refunds, key=lambda pair: pair[1].id)
    written = await tx.fetch(
        """INSERT INTO refunds (payment_id, id, attempt, status, amount_minor, reason,
             reason_code, reference, asks, actor_id, created_at, closed_at)
           SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::text[],
             $5::bigint[], $6::text[], $7::text[], $8::text[], $9::int[],
             $10::uuid[], $11::timestamptz[], $12::timestamptz[])
           ON CONFLICT (id) DO UPDATE SET status = excluded.status,
             reason_code = excluded.reason_code, reference = excluded.reference,
             asks = excluded.asks, closed_at = excluded.closed_at
           WHERE refunds.status = 'PENDING'
             AND refunds.payment_id = excluded.payment_id
           RETURNING id""",
        [payment_id for payment_id, _ in rows],
        *_columns(
            [refund for _, refund in rows],
            "id attempt status amount_minor reason reason_code reference asks"
            " actor_id created_at closed_at",
        ),
    )
    if len(written) != len(rows):
        raise BooksMoved(f"refunds {[refund.id for _, refund in rows]}")


async def write_ledger(tx: Tx, lines: Sequence[LedgerLine]) -> None:
    """Insert lines; the database refuses a transaction that does not sum to zero."""
    rows = sorted(lines, key=lambda line: (line.transaction_id, line.line))
    await tx.execute(
        """INSERT INTO ledger_lines (transaction_id, line, payment_id, account,
             amount_minor, currency, created_at)
           SELECT transaction_id, line, payment_id, account, amount_minor, currency, $7
           FROM unnest($1::uuid[], $2::smallint[], $3::uuid[], $4::text[],
             $5::bigint[], $6::text[]) AS lines (transaction_id, line, payment_id,
             account, amount_minor, currency)""",
        *_columns(rows, "transaction_id line payment_id account amount_minor currency"),
        tx.now,
    )


def next_version(before: Payment | None, after: Payment, now: Any) -> Payment:
    """`after` as the one version that follows `before`, however often it changed."""
    version = 1 if before is None else before.version + 1
    return structs.replace(after, version=version, updated_at=now)


def _columns(rows: Sequence[Any], names: str) -> list[list[Any]]:
    return [[getattr(row, name) for row in rows] for name in names.split()]


def _attempt(row: dict[str, Any]) -> Attempt:
    del row["payment_id"]
    return Attempt(**{**row, "status": AttemptStatus(row["status"])})


def _refund(row: dict[str, Any]) -> Refund:
    del row["payment_id"]
    return Refund(**{**row, "status": RefundStatus(row["status"])})
