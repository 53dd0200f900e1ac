"""What is said of transfers: pieces go from one warehouse to another."""

from uuid import UUID

from bus.inventory.views import TransferEnd, TransferLine, TransferView
from bus.kit.messages import Command, Query, by
from bus.kit.refusals import FieldError, Refusal, conflict

TRANSFER_LINES_MAX = 100


class TransferStock(Command[TransferEnd], frozen=True, kw_only=True):
    """Move available pieces, all lines or none.

    One line is moved in one step. Several are first held where they are, each by the
    owner of its SKU; when all are held each is moved, out and in at once, and when one
    is short the others are let go and the transfer ends REFUSED, with the refusal
    `transfer-exceeds-available` in the reply. Killed anywhere it is taken up again.
    Refused, with nothing made, for unknown warehouses and as `same-warehouse`.
    """

    key = by("transfer_id")
    transfer_id: UUID
    from_warehouse_id: UUID
    to_warehouse_id: UUID
    lines: tuple[TransferLine, ...]
    reason: str
    actor_id: UUID | None = None


class GetTransfer(Query[TransferView], frozen=True, kw_only=True):
    """One transfer."""

    key = by("transfer_id")
    transfer_id: UUID


def transfer_exceeds_available(*lines: tuple[str, int]) -> Refusal:
    """Fewer pieces may be moved; each short line is named with what is available."""
    code = "transfer-exceeds-available"
    errors = (FieldError(sku, code, f"{n} available") for sku, n in lines)
    return conflict(code, "Only pieces that are not promised can be moved.", *errors)
