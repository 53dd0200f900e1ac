"""Claims: values that must be unique over all keys, such as an e-mail or a SKU."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from bus.kit.values import Value


class Claim(Value, frozen=True, order=True):
    """`owner_id` wants to be the one that holds `value` among its `kind`."""

    kind: str
    value: str
    owner_id: UUID


async def take(connection: Any, claims: Iterable[Claim]) -> set[Claim]:
    """Insert what is free; returns the claims that this call has newly taken.

    Rows are sorted: two shards that claimed the same values in another order would
    deadlock.
    """
    wanted = sorted(set(claims))
    rows = await connection.fetch(
        """INSERT INTO claims (kind, value, owner_id)
           SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[])
           ON CONFLICT DO NOTHING RETURNING kind, value, owner_id""",
        [claim.kind for claim in wanted],
        [claim.value for claim in wanted],
        [claim.owner_id for claim in wanted],
    )
    return {Claim(row["kind"], row["value"], row["owner_id"]) for row in rows}


async def owners(
    connection: Any, claims: Iterable[Claim]
) -> dict[tuple[str, str], UUID]:
    """Who holds each of the values."""
    wanted = sorted({(claim.kind, claim.value) for claim in claims})
    rows = await connection.fetch(
        """SELECT kind, value, owner_id FROM claims WHERE (kind, value) IN
             (SELECT * FROM unnest($1::text[], $2::text[]))""",
        [kind for kind, _ in wanted],
        [value for _, value in wanted],
    )
    return {(row["kind"], row["value"]): row["owner_id"] for row in rows}


async def release(connection: Any, claims: Iterable[Claim]) -> None:
    """Give values back; only their owner's claims are dropped."""
    dropped = sorted(set(claims))
    await connection.execute(
        """DELETE FROM claims USING
             unnest($1::text[], $2::text[], $3::uuid[]) AS gone (kind, value, owner_id)
           WHERE claims.kind = gone.kind AND claims.value = gone.value
             AND claims.owner_id = gone.owner_id""",
        [claim.kind for claim in dropped],
        [claim.value for claim in dropped],
        [claim.owner_id for claim in dropped],
    )
