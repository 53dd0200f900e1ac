"""What inventory says to itself while pieces go from one warehouse to another."""

from typing import Any
from uuid import UUID

from bus.inventory.transfers import TransferStock
from bus.inventory.views import TransferEnd
from bus.kit.messages import Command, by
from bus.kit.refusals import RefusalData
from bus.kit.values import Done


class BeginTransfer(Command[Any], frozen=True, kw_only=True):
    """Check the warehouses and write the transfer, once by its id."""

    key = by("transfer_id")
    remembered = False
    transfer_id: UUID
    request: TransferStock


class ReadTransfer(Command[Any], frozen=True, kw_only=True):
    """The transfer as it stands."""

    key = by("transfer_id")
    remembered = False
    transfer_id: UUID


class RefuseTransfer(Command[Any], frozen=True, kw_only=True):
    """From now on the transfer only goes back."""

    key = by("transfer_id")
    remembered = False
    transfer_id: UUID
    refusal: RefusalData


class FinishTransfer(Command[TransferEnd], frozen=True, kw_only=True):
    """Nothing is left to do: COMPLETED, or REFUSED."""

    key = by("transfer_id")
    remembered = False
    transfer_id: UUID


class SettleTransfer(Command[TransferEnd], frozen=True, kw_only=True):
    """Take a transfer from wherever it stands to its end."""

    key = by("transfer_id")
    transfer_id: UUID


# --- by SKU, each once by (transfer_id, sku) ---------------------------------


class HoldForTransfer(Command[Done], frozen=True, kw_only=True):
    """Hold pieces in the warehouse that they leave."""

    key = by("sku")
    remembered = False
    transfer_id: UUID
    sku: str
    quantity: int
    from_warehouse_id: UUID
    reason: str
    actor_id: UUID | None


class MovePieces(Command[Done], frozen=True, kw_only=True):
    """Out of one warehouse and into the other, in one transaction."""

    key = by("sku")
    remembered = False
    transfer_id: UUID
    sku: str
    quantity: int
    from_warehouse_id: UUID
    to_warehouse_id: UUID
    reason: str
    actor_id: UUID | None


class LetGo(Command[Done], frozen=True, kw_only=True):
    """Hold the pieces no longer; a tombstone stops what comes late."""

    key = by("sku")
    remembered = False
    transfer_id: UUID
    sku: str
    reason: str
    actor_id: UUID | None


class OpenStock(Command[Done], frozen=True, kw_only=True):
    """Count a SKU for the first time; one that ever lay in a warehouse stays."""

    key = by("sku")
    remembered = False
    sku: str
    on_hand: int
    actor_id: UUID
