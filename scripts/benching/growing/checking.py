"""Whether a shop with a long past is sound: the past by sums, the present by rows.

An audit compares rows in memory, which a million orders do not fit into. So past
`AUDIT_ORDERS_MAX` it reads what was bought under measure (whose ids are younger than
the past, and whose SKUs are others), and the past is compared here, all of it, by sums
that Postgres makes. Below that the audit reads everything.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from actors.auditing.books import Violation
from bus.kit.addressing import ordered_id
from scripts.benching.growing.goods import PREFIX
from scripts.benching.growing.past import ENDED_DAYS_AGO, SPAN_DAYS
from scripts.benching.growing.rows import PIECES
from scripts.launcher.environment import BANK

AUDIT_ORDERS_MAX = 20_000
STATEMENT_SECONDS_MAX = 120.0
CHECK = "growth-past"

_BY_ID = {
    "orders": "id",
    "order_lines": "order_id",
    "timeline": "order_id",
    "holds": "order_id",
    "payments": "id",
    "attempts": "payment_id",
    "ledger_lines": "payment_id",
    "notifications": "id",
    "messages": "message_id",
    "purchases": "order_id",
}
_BY_SKU = ("stock", "levels", "movements", "sku_stock")

_SUMS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "orders": (
        ("orders", "SELECT count(*) FROM orders WHERE id < $1"),
        (
            "kept",
            """SELECT coalesce(sum(grand_amount - refunded_amount), 0)
               FROM orders WHERE id < $1""",
        ),
        ("lines", "SELECT count(*) FROM order_lines WHERE order_id < $1"),
        (
            "shipped",
            "SELECT coalesce(sum(shipped), 0) FROM order_lines WHERE order_id < $1",
        ),
        (
            "lines that are not their order",
            """SELECT count(*) FROM orders JOIN
                 (SELECT order_id, sum(quantity * unit_amount) AS sum
                  FROM order_lines WHERE order_id < $1 GROUP BY 1) AS its
                 ON id = order_id WHERE items_amount <> its.sum""",
        ),
        (
            "changes that are not told",
            """SELECT coalesce(sum(version), 0) - (SELECT count(*) FROM timeline
                 WHERE order_id < $1) FROM orders WHERE id < $1""",
        ),
    ),
    "payments": (
        ("orders", "SELECT count(*) FROM payments WHERE id < $1"),
        (
            "kept",
            """SELECT coalesce(sum(captured_minor - refunded_minor), 0)
               FROM payments WHERE id < $1""",
        ),
        (
            "kept",
            """SELECT coalesce(sum(amount_minor), 0) FROM ledger_lines
               WHERE payment_id < $1 AND account = 'provider_receivable'""",
        ),
        (
            "unbalanced",
            """SELECT count(*) FROM (SELECT FROM ledger_lines WHERE payment_id < $1
                 GROUP BY transaction_id HAVING sum(amount_minor) <> 0
                 OR count(*) <> 2) AS wrong""",
        ),
    ),
    BANK: (
        ("orders", "SELECT count(*) FROM charges WHERE order_id < $1::uuid::text"),
        (
            "kept",
            """SELECT coalesce(sum(captured - refunded), 0) FROM charges
               WHERE order_id < $1::uuid::text""",
        ),
    ),
    "inventory": (
        ("lines", "SELECT count(*) FROM holds WHERE order_id < $1"),
        (
            "shipped",
            "SELECT coalesce(sum(shipped), 0) FROM holds WHERE order_id < $1",
        ),
        (
            "shipped",
            f"""SELECT coalesce(sum({PIECES} - on_hand), 0) FROM stock
                WHERE sku LIKE '{PREFIX}%' AND $1::uuid IS NOT NULL""",  # noqa: S608
        ),
        (
            "stock that is not its movements",
            f"""SELECT count(*) FROM stock FULL JOIN
                  (SELECT sku, count(*) AS n, max(number) AS last,
                     sum(on_hand_after - on_hand_before) AS on_hand,
                     sum(reserved_after - reserved_before) AS reserved
                   FROM movements WHERE sku LIKE '{PREFIX}%' GROUP BY 1) AS moved
                  USING (sku)
                WHERE (sku LIKE '{PREFIX}%') AND $1::uuid IS NOT NULL AND NOT
                  (n = version AND last = version AND moved.on_hand = stock.on_hand
                   AND moved.reserved = stock.reserved) IS TRUE""",  # noqa: S608
        ),
    ),
}
"""Sums by name: one name has one value, wherever it is asked for; what is wrong, 0."""
WRONG = frozenset(
    {
        "lines that are not their order",
        "changes that are not told",
        "unbalanced",
        "stock that is not its movements",
    }
)


def scope_of(since: datetime) -> dict[str, str]:
    """Of each table that has a past the condition for the rows of the present."""
    first = _first_id(since)
    scope = {table: f"{column} >= '{first}'" for table, column in _BY_ID.items()}
    scope |= dict.fromkeys(_BY_SKU, f"sku NOT LIKE '{PREFIX}%'")
    scope["payments.refunds"] = f"payment_id >= '{first}'"
    scope["bank.refunds"] = f"key >= '{first}'"
    scope["charges"] = f"order_id >= '{first}'"
    # What demo and bench make for themselves has ids of one time, before any past.
    begin = _first_id(since - timedelta(days=SPAN_DAYS + ENDED_DAYS_AGO))
    present = f"(subject < '{begin}' OR subject >= '{first}')"
    scope["sequences"] = f"{present} AND subject NOT LIKE '{PREFIX}%'"
    return scope


async def past_faults(urls: Mapping[str, str], since: datetime) -> list[Violation]:
    """What of the past is not as it must be, in the words of an audit."""
    first, found = _first_id(since), dict[str, dict[str, int]]()
    for database, sums in _SUMS.items():
        connection = await _connect(urls[database])
        try:
            for name, statement in sums:
                said = found.setdefault(name, {})
                place = f"{database} {len(said)}"
                said[place] = int(await connection.fetchval(statement, first))
        finally:
            await connection.close()
    return faults_of(found)


def faults_of(found: Mapping[str, Mapping[str, int]]) -> list[Violation]:
    """Sums of one name that differ, and counts of what must not be."""
    return [
        Violation(CHECK, name, ", ".join(f"{place}: {n}" for place, n in said.items()))
        for name, said in found.items()
        if len(set(said.values())) > 1 or (name in WRONG and any(said.values()))
    ]


def _first_id(since: datetime) -> UUID:
    return UUID(int=ordered_id(since, 0).int >> 80 << 80)


async def _connect(url: str) -> Any:
    return await asyncpg.connect(url, command_timeout=STATEMENT_SECONDS_MAX)
