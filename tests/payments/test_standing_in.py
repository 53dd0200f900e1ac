"""What stands in for processes that died: found without all that is due."""

import asyncpg

from actors.kit.declarations import domain_class
from persistence.kit import due
from tests.kit.local import Databases

MANY = 20_000


async def test_a_start_reads_what_stands_in_and_not_all_that_is_due(
    databases: Databases,
) -> None:
    """Guards due.py `left`; the index names the kinds that the code declares."""
    handlers = domain_class("payments")().handlers
    kinds = [each.kind() for each in handlers if getattr(each, "stands_in", False)]
    assert sorted(kinds) == ["payments.rescue_attempt", "payments.rescue_refund"]
    url = await databases.fresh("payments", 1)
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            """INSERT INTO due (name, id, slot, at, kind, message)
               SELECT 'n' || n, gen_random_uuid(), n % 64, now(), 'payments.other', ''
               FROM generate_series(1, $1::int) AS n""",
            MANY,
        )
        await connection.execute("ANALYZE due")
        plans: list[str] = []

        class Explained:
            async def fetch(self, sql: str, *values: object) -> list[asyncpg.Record]:
                rows = await connection.fetch(f"EXPLAIN {sql}", *values)
                plans.append("\n".join(row[0] for row in rows))
                return await connection.fetch(sql, *values)

        assert await due.left(Explained(), range(64), kinds, 2_000) == []
        assert "due_standing_in" in plans[0]
        assert "Seq Scan" not in plans[0]
    finally:
        await connection.close()
        await databases.drop(url)
