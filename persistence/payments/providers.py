"""How the providers do: one row each, written only when that changes."""

from persistence.kit.database import Db
from persistence.kit.transaction import Tx


async def failing_providers(db: Db) -> frozenset[str]:
    """The providers that were failing when anybody last looked."""
    rows = await db.fetch("SELECT name FROM providers WHERE failing_since IS NOT NULL")
    return frozenset(row["name"] for row in rows)


async def mark_failing(tx: Tx, provider: str) -> bool:
    """Note that a provider fails; False: that was known."""
    row = await tx.fetchrow(
        """INSERT INTO providers (name, failing_since) VALUES ($1, $2)
           ON CONFLICT (name) DO UPDATE SET failing_since = excluded.failing_since
           WHERE providers.failing_since IS NULL RETURNING name""",
        provider,
        tx.now,
    )
    return row is not None


async def mark_recovered(tx: Tx, provider: str) -> bool:
    """Note that a provider answers again; False: that was known."""
    row = await tx.fetchrow(
        """UPDATE providers SET failing_since = NULL
           WHERE name = $1 AND failing_since IS NOT NULL RETURNING name""",
        provider,
    )
    return row is not None
