"""Transfers between warehouses."""

from typing import Any
from uuid import UUID

import msgspec

from bus.inventory import TransferLine, TransferStatus
from bus.kit.refusals import RefusalData
from persistence.inventory.states import Transfer
from persistence.kit.database import Db
from persistence.kit.transaction import Tx


async def insert_transfer(tx: Tx, transfer: Transfer) -> None:
    """Write a transfer that begins, once by its id."""
    await tx.execute(
        """INSERT INTO transfers (id, from_warehouse_id, to_warehouse_id, status, lines,
             reason, actor_id, refusal, version, created_at, updated_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, NULL, $8, $9, $9)
           ON CONFLICT DO NOTHING""",
        transfer.id,
        transfer.from_warehouse_id,
        transfer.to_warehouse_id,
        transfer.status,
        _json({line.sku: line.quantity for line in transfer.lines}),
        transfer.reason,
        transfer.actor_id,
        transfer.version,
        transfer.created_at,
    )


async def save_transfer(tx: Tx, transfer: Transfer) -> None:
    """Bring a transfer one version further."""
    tag = await tx.execute(
        """UPDATE transfers SET status = $2, refusal = $3, version = $4,
             updated_at = $5
           WHERE id = $1 AND version = $4 - 1""",
        transfer.id,
        transfer.status,
        None if transfer.refusal is None else _json(transfer.refusal),
        transfer.version,
        transfer.updated_at,
    )
    if not tag.endswith(" 1"):
        raise RuntimeError("a transfer changed between its reading and its writing")


async def find_transfer(db: Db, transfer_id: UUID) -> Transfer | None:
    """One transfer."""
    row = await db.fetchrow("SELECT * FROM transfers WHERE id = $1", transfer_id)
    if row is None:
        return None
    fields: dict[str, Any] = dict(row)
    lines = msgspec.json.decode(row["lines"], type=dict[str, int])
    refusal = row["refusal"]
    return Transfer(
        **fields
        | {
            "status": TransferStatus(row["status"]),
            "lines": tuple(
                TransferLine(sku=sku, quantity=n) for sku, n in sorted(lines.items())
            ),
            "refusal": refusal and msgspec.json.decode(refusal, type=RefusalData),
        }
    )


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
