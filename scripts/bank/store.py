"""The bank's books: charges, refunds, moves and webhooks in a database of its own."""

# ruff: noqa: S608 - only column lists of this file are put into statements

import datetime as dt
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg
import msgspec

from scripts.bank import moves
from scripts.bank.forms import (
    CaptureForm,
    ChargeForm,
    ChargeLine,
    MoveLine,
    RefundForm,
    RefundLine,
    TransactionLine,
    VoidForm,
)
from scripts.bank.tokens import Verdict, verdict

CONNECTIONS_MAX = 4
COMMAND_TIMEOUT_SECONDS = 20
LEDGER_ROWS = 500

SCHEMA = """
CREATE TABLE IF NOT EXISTS charges (
    key text PRIMARY KEY,
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    token text NOT NULL,
    order_id text NOT NULL,
    attempt int NOT NULL,
    status text NOT NULL,
    decline_code text,
    captured bigint NOT NULL,
    refunded bigint NOT NULL DEFAULT 0,
    reference text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    answer_at timestamptz NOT NULL,
    settle_at timestamptz,
    CHECK (0 <= refunded AND refunded <= captured AND captured <= amount)
) WITH (fillfactor = 90);
ALTER TABLE charges ADD COLUMN IF NOT EXISTS hold boolean NOT NULL DEFAULT false;
ALTER TABLE charges ADD COLUMN IF NOT EXISTS expires_at timestamptz;
ALTER TABLE charges ADD COLUMN IF NOT EXISTS moved_at timestamptz NOT NULL
    DEFAULT now();
ALTER TABLE charges DROP CONSTRAINT IF EXISTS charges_status_check;
CREATE INDEX IF NOT EXISTS charges_to_settle ON charges (settle_at)
    WHERE status = 'pending';
CREATE INDEX IF NOT EXISTS charges_by_move ON charges USING brin (moved_at);
CREATE TABLE IF NOT EXISTS refunds (
    key text PRIMARY KEY,
    charge_key text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    status text NOT NULL CHECK (status IN ('succeeded', 'rejected')),
    reason_code text,
    reference text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS refunds_by_move ON refunds USING brin (created_at);
CREATE TABLE IF NOT EXISTS moves (
    key text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('capture', 'void')),
    charge_key text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    status text NOT NULL CHECK (status IN ('succeeded', 'rejected')),
    reason_code text,
    reference text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, key)
);
CREATE TABLE IF NOT EXISTS webhooks (
    id uuid PRIMARY KEY,
    body text NOT NULL,
    tries int NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL DEFAULT now(),
    delivered_at timestamptz
);
CREATE INDEX IF NOT EXISTS webhooks_to_send ON webhooks (next_at)
    WHERE delivered_at IS NULL;
"""

_CHARGE = """key, CASE WHEN status = 'authorized' AND expires_at <= now()
        THEN 'expired' ELSE status END AS status,
    amount, currency, captured, refunded, reference,
    CASE WHEN status = 'declined' THEN decline_code END AS decline_code,
    order_id, attempt, token, hold, created_at, answer_at, expires_at"""
_REFUND = """key, status, charge_key, amount, currency, reference, reason_code,
    created_at"""

_INSERT_CHARGES = f"""
INSERT INTO charges (key, amount, currency, token, order_id, attempt, status,
    decline_code, captured, reference, answer_at, settle_at, hold, expires_at)
SELECT key, amount, currency, token, order_id, attempt,
    CASE WHEN status = 'succeeded' AND hold THEN 'authorized' ELSE status END,
    decline_code, CASE WHEN status = 'succeeded' AND NOT hold THEN amount ELSE 0 END,
    reference, now() + delay_ms * interval '1 millisecond',
    now() + settle_ms * interval '1 millisecond', hold,
    CASE WHEN hold THEN now() + hold_ms * interval '1 millisecond' END
FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::int[],
    $7::text[], $8::text[], $9::text[], $10::int[], $11::int[], $12::int[],
    $13::bool[])
    AS asked (key, amount, currency, token, order_id, attempt, status, decline_code,
        reference, delay_ms, settle_ms, hold_ms, hold)
ON CONFLICT (key) DO NOTHING
RETURNING {_CHARGE}
"""
_SETTLE = f"""
WITH settled AS (
    UPDATE charges SET moved_at = now(),
        status = CASE WHEN decline_code IS NOT NULL THEN 'declined'
            WHEN hold THEN 'authorized' ELSE 'succeeded' END,
        captured = CASE WHEN decline_code IS NULL AND NOT hold
            THEN amount ELSE 0 END
    WHERE key IN (
        SELECT key FROM charges WHERE status = 'pending' AND settle_at <= now()
        ORDER BY key LIMIT 200 FOR UPDATE)
    RETURNING *
) SELECT {_CHARGE} FROM settled
"""


class Store:
    """All of the bank's SQL; each method is one transaction."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @classmethod
    async def open(cls, url: str) -> "Store":
        """Connect, and make the tables where there are none yet."""
        pool = await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=CONNECTIONS_MAX,
            command_timeout=COMMAND_TIMEOUT_SECONDS,
            server_settings={"application_name": "bank", "jit": "off"},
        )
        await pool.execute(SCHEMA)
        return cls(pool)

    async def close(self) -> None:
        """End all connections."""
        await self._pool.close()

    async def alive(self) -> None:
        """Raise unless the database answers."""
        await self._pool.fetchval("SELECT 1")

    async def charge(
        self, forms: Sequence[ChargeForm], *, hold: bool = False
    ) -> tuple[dict[str, ChargeLine], set[str]]:
        """Insert the charges, each once by its key: all of them, and the new keys.

        With `hold` the money is held only, until it is captured or let go.
        """
        wanted = {form.key: form for form in reversed(forms)}
        rows = [
            (form, verdict(form.token), f"ch_{uuid.uuid4().hex}", hold)
            for _, form in sorted(wanted.items())
        ]
        columns = zip(*(_charge_row(*row) for row in rows), strict=True)
        made = await self._pool.fetch(_INSERT_CHARGES, *(list(c) for c in columns))
        lines = {row["key"]: _charge_line(row) for row in made}
        new = set(lines)
        if len(new) < len(wanted):
            lines |= await self.charges(sorted(wanted.keys() - new))
        return lines, new

    async def charges(self, keys: Sequence[str]) -> dict[str, ChargeLine]:
        """The charges of `keys`, as far as there are any."""
        sql = f"SELECT {_CHARGE} FROM charges WHERE key = ANY($1::text[])"
        rows = await self._pool.fetch(sql, keys)
        return {row["key"]: _charge_line(row) for row in rows}

    async def refund(self, forms: Sequence[RefundForm]) -> dict[str, RefundLine]:
        """Insert the refunds, each once by its key; never more than was captured."""
        wanted = {form.key: form for form in reversed(forms)}
        async with self._pool.acquire() as connection, connection.transaction():
            # Locking the charges first makes refunds of one charge wait in line.
            charges = await connection.fetch(
                f"SELECT {_CHARGE} FROM charges WHERE key = ANY($1::text[])"
                " ORDER BY key FOR UPDATE",
                sorted({form.charge_key for form in wanted.values()}),
            )
            lines = await _refunds(connection, sorted(wanted))
            left = {row["key"]: row["captured"] - row["refunded"] for row in charges}
            currency = {row["key"]: row["currency"] for row in charges}
            fresh = [
                _judge(form, left, currency)
                for key, form in sorted(wanted.items())
                if key not in lines
            ]
            if fresh:
                await _write_refunds(connection, fresh)
                lines = await _refunds(connection, sorted(wanted))
        return lines

    async def refunds(self, keys: Sequence[str]) -> dict[str, RefundLine]:
        """The refunds of `keys`, as far as there are any."""
        async with self._pool.acquire() as connection:
            return await _refunds(connection, keys)

    async def move(
        self, kind: str, forms: Sequence[CaptureForm | VoidForm]
    ) -> dict[str, MoveLine]:
        """Take held money, or let it go; each once by its key, and one of them wins."""
        wanted = {form.key: form for form in reversed(forms)}
        async with self._pool.acquire() as connection, connection.transaction():
            return await moves.move(connection, kind, wanted)

    async def moves(self, kind: str, keys: Sequence[str]) -> dict[str, MoveLine]:
        """The captures, or voids, of `keys`, as far as there are any."""
        async with self._pool.acquire() as connection:
            return await moves.of_keys(connection, kind, keys)

    async def transactions(
        self, since: dt.datetime, until: dt.datetime, after: str, limit: int
    ) -> list[TransactionLine]:
        """Money that was moved in that time, oldest first, behind the place `after`."""
        rows = await self._pool.fetch(moves.TRANSACTIONS, since, until, after, limit)
        return [TransactionLine(**dict(row)) for row in rows]

    async def ledger(self) -> AsyncIterator[list[dict[str, Any]]]:
        """Every charge, capture, void and refund as of one moment, some at a time."""
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            for kind, sql in (
                ("charge", f"SELECT {_CHARGE} FROM charges ORDER BY key"),
                ("refund", f"SELECT {_REFUND} FROM refunds ORDER BY key"),
                ("move", f"SELECT {moves.MOVE} FROM moves ORDER BY key"),
            ):
                cursor = await connection.cursor(sql)
                while rows := await cursor.fetch(LEDGER_ROWS):
                    yield [_ledger_row(kind, row) for row in rows]

    async def settle_due(self) -> int:
        """Settle the pending charges whose time has come, with a webhook for each."""
        async with self._pool.acquire() as connection, connection.transaction():
            settled = [_charge_line(row) for row in await connection.fetch(_SETTLE)]
            bodies = [_webhook(line) for line in settled]
            await connection.execute(
                "INSERT INTO webhooks (id, body)"
                " SELECT * FROM unnest($1::uuid[], $2::text[])",
                [event_id for event_id, _ in bodies],
                [body for _, body in bodies],
            )
        return len(settled)

    async def webhooks_due(self, tries_max: int, limit: int) -> list[asyncpg.Record]:
        """Webhooks to send now; each is put off at once, so none is sent twice."""
        due: list[asyncpg.Record] = await self._pool.fetch(
            "UPDATE webhooks SET tries = tries + 1,"
            " next_at = now() + least(power(2, tries), 60) * interval '1 second'"
            " WHERE id IN (SELECT id FROM webhooks WHERE delivered_at IS NULL"
            " AND next_at <= now() AND tries < $1 ORDER BY next_at LIMIT $2)"
            " RETURNING id, body",
            tries_max,
            limit,
        )
        return due

    async def webhook_delivered(self, webhook_id: uuid.UUID) -> None:
        """Note that a webhook was taken."""
        await self._pool.execute(
            "UPDATE webhooks SET delivered_at = now() WHERE id = $1", webhook_id
        )

    async def next_due_seconds(self, tries_max: int) -> float | None:
        """Seconds until the next settlement or webhook; None: nothing is waiting."""
        seconds = await self._pool.fetchval(
            "SELECT extract(epoch FROM min(at) - clock_timestamp())::float8 FROM ("
            " SELECT min(settle_at) AS at FROM charges WHERE status = 'pending'"
            " UNION ALL SELECT min(next_at) FROM webhooks"
            " WHERE delivered_at IS NULL AND tries < $1) AS waiting",
            tries_max,
        )
        return None if seconds is None else max(float(seconds), 0.0)


def _charge_row(
    form: ChargeForm, judged: Verdict, reference: str, hold: bool
) -> tuple[Any, ...]:
    return (
        form.key,
        form.amount,
        form.currency,
        form.token,
        form.order_id,
        form.attempt,
        judged.status,
        judged.decline_code,
        reference,
        judged.delay_ms,
        judged.settle_ms,
        judged.hold_ms,
        hold,
    )


def _charge_line(row: asyncpg.Record) -> ChargeLine:
    return ChargeLine(**dict(row))


async def _refunds(connection: Any, keys: Sequence[str]) -> dict[str, RefundLine]:
    sql = f"SELECT {_REFUND} FROM refunds WHERE key = ANY($1::text[])"
    rows = await connection.fetch(sql, keys)
    return {row["key"]: RefundLine(**dict(row)) for row in rows}


def _judge(
    form: RefundForm, left: dict[str, int], currency: dict[str, str]
) -> tuple[RefundForm, str | None]:
    """A refund and why it is rejected (None: it is not); lowers what is left."""
    if form.charge_key not in left:
        return form, "charge-not-found"
    if currency[form.charge_key] != form.currency:
        return form, "currency-mismatch"
    if form.amount > left[form.charge_key]:
        return form, "refund-exceeds-capture"
    left[form.charge_key] -= form.amount
    return form, None


async def _write_refunds(
    connection: Any, judged: Sequence[tuple[RefundForm, str | None]]
) -> None:
    """Insert the refunds and move their charges; the charges are locked already."""
    made = await connection.fetch(
        "INSERT INTO refunds (key, charge_key, amount, currency, status, reason_code,"
        " reference) SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[],"
        " $4::text[], $5::text[], $6::text[], $7::text[]) ON CONFLICT DO NOTHING"
        " RETURNING key",
        [form.key for form, _ in judged],
        [form.charge_key for form, _ in judged],
        [form.amount for form, _ in judged],
        [form.currency for form, _ in judged],
        ["rejected" if reason else "succeeded" for _, reason in judged],
        [reason for _, reason in judged],
        [f"re_{uuid.uuid4().hex}" for _ in judged],
    )
    new = {row["key"] for row in made}
    sums: dict[str, int] = {}
    for form, reason in judged:
        if reason is None and form.key in new:
            sums[form.charge_key] = sums.get(form.charge_key, 0) + form.amount
    await connection.execute(
        "UPDATE charges SET refunded = refunded + back.amount"
        " FROM unnest($1::text[], $2::bigint[]) AS back (key, amount)"
        " WHERE charges.key = back.key",
        list(sums),
        list(sums.values()),
    )


def _ledger_row(kind: str, row: asyncpg.Record) -> dict[str, Any]:
    """A row of the books as it is shown; a move is a capture or a void."""
    return {**dict(row), "type": row["kind"] if kind == "move" else kind}


def _webhook(line: ChargeLine) -> tuple[uuid.UUID, str]:
    """The id and body of the webhook that says how a charge was settled."""
    event_id = uuid.uuid5(uuid.NAMESPACE_URL, f"bank:{line.key}:{line.status}")
    body = {"id": event_id, "type": f"charge.{line.status}", "charge": line}
    return event_id, msgspec.json.encode(body).decode()
