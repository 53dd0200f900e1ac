"""Held money: taken, or let go, and the list of all that has moved."""

# ruff: noqa: S608 - only column lists of this file are put into statements

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from scripts.bank.forms import CaptureForm, MoveLine, VoidForm

MOVE = """key, kind, status, charge_key, amount, currency, reference, reason_code,
    created_at"""

_LOCKED = """SELECT key, amount, currency, status, expires_at, now() AS now FROM charges
    WHERE key = ANY($1::text[]) ORDER BY key FOR UPDATE"""
_INSERT = f"""INSERT INTO moves ({MOVE})
    SELECT *, now() FROM unnest($1::text[], $2::text[], $3::text[], $4::text[],
        $5::bigint[], $6::text[], $7::text[], $8::text[])
    ON CONFLICT DO NOTHING"""
_CHARGES = """UPDATE charges SET status = moved.status, captured = moved.captured,
        moved_at = now()
    FROM unnest($1::text[], $2::text[], $3::bigint[]) AS moved (key, status, captured)
    WHERE charges.key = moved.key"""

# A charge that is held, or was let go, has moved no money.
TRANSACTIONS = """
    SELECT kind, key, reference, amount, currency, status, at, place FROM (
        SELECT 'charge' AS kind, key, reference,
            CASE WHEN status = 'succeeded' THEN captured ELSE amount END AS amount,
            currency, CASE WHEN status = 'declined' THEN 'failed' ELSE status END
                AS status,
            moved_at AS at, to_char(moved_at AT TIME ZONE 'UTC',
                'YYYY-MM-DD"T"HH24:MI:SS.US') || ' charge ' || key AS place
        FROM charges WHERE moved_at >= $1 AND moved_at < $2
            AND status IN ('succeeded', 'pending', 'declined')
        UNION ALL
        SELECT 'refund', key, reference, amount, currency,
            CASE WHEN status = 'rejected' THEN 'failed' ELSE status END,
            created_at, to_char(created_at AT TIME ZONE 'UTC',
                'YYYY-MM-DD"T"HH24:MI:SS.US') || ' refund ' || key
        FROM refunds WHERE created_at >= $1 AND created_at < $2
    ) AS moved WHERE place COLLATE "C" > $3 ORDER BY place COLLATE "C" LIMIT $4"""


class Held(NamedTuple):
    """A charge as it is locked for a move."""

    amount: int
    currency: str
    status: str
    expires_at: dt.datetime | None
    now: dt.datetime


async def move(
    connection: Any, kind: str, wanted: Mapping[str, CaptureForm | VoidForm]
) -> dict[str, MoveLine]:
    """Make the moves, in a transaction of the caller's; all of them, by key."""
    # Locking the charges first makes moves of one charge wait in line.
    locked = await connection.fetch(
        _LOCKED, sorted({form.charge_key for form in wanted.values()})
    )
    charges = {row["key"]: Held(*row[1:]) for row in locked}
    lines = await of_keys(connection, kind, sorted(wanted))
    rows, moved = [], []
    for key, form in sorted(wanted.items()):
        if key in lines:
            continue
        held = charges.get(form.charge_key)
        reason = judge(kind, form, held)
        amount, currency = _money(form, held)
        if held is not None and reason is None:
            status = "succeeded" if kind == "capture" else "voided"
            charges[form.charge_key] = held._replace(status=status)
            taken = amount if kind == "capture" else 0
            moved.append((form.charge_key, status, taken))
        said = "rejected" if reason else "succeeded"
        made = f"{kind[:2]}_{uuid.uuid4().hex}"
        rows.append((key, kind, said, form.charge_key, amount, currency, made, reason))
    if rows:
        await connection.execute(_INSERT, *map(list, zip(*rows, strict=True)))
        lines = await of_keys(connection, kind, sorted(wanted))
    if moved:
        await connection.execute(_CHARGES, *map(list, zip(*moved, strict=True)))
    return lines


async def of_keys(
    connection: Any, kind: str, keys: Sequence[str]
) -> dict[str, MoveLine]:
    """The captures, or voids, of these keys."""
    sql = f"SELECT {MOVE} FROM moves WHERE kind = $1 AND key = ANY($2::text[])"
    rows = await connection.fetch(sql, kind, keys)
    return {row["key"]: MoveLine(**dict(row)) for row in rows}


def judge(kind: str, form: CaptureForm | VoidForm, held: Held | None) -> str | None:
    """Why a move is rejected; None: it is not."""
    if held is None:
        return "charge-not-found"
    if held.status == "voided":
        return "authorization-voided"
    if held.status == "succeeded":
        return "already-captured"
    if held.status == "authorized" and held.expires_at and held.expires_at <= held.now:
        return "authorization-expired"
    if kind == "void":
        return None if held.status in ("authorized", "pending") else "not-authorized"
    if held.status != "authorized":
        return "not-authorized"
    amount, currency = _money(form, held)
    if currency != held.currency:
        return "currency-mismatch"
    return "capture-exceeds-authorization" if amount > held.amount else None


def _money(form: CaptureForm | VoidForm, held: Held | None) -> tuple[int, str]:
    """What a move is about: a void of all that is held."""
    if isinstance(form, CaptureForm):
        return form.amount, form.currency
    return (held.amount, held.currency) if held else (1, "")
