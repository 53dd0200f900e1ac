"""What orders ask of the stock: hold pieces, give them back, sell and ship them."""

from uuid import UUID

from bus.inventory.views import Reserved
from bus.kit.messages import Command, by
from bus.kit.refusals import FieldError, Refusal, conflict
from bus.kit.values import Done


class ReserveStock(Command[Reserved], frozen=True, kw_only=True):
    """Hold `quantity` pieces for an order; acts once by (order_id, sku).

    Refused as `out-of-stock` when fewer are available, and as `hold-released` when
    this attempt's hold was already given back (it came too late).
    """

    key = by("sku")
    remembered = False
    order_id: UUID
    sku: str
    quantity: int
    attempt: int = 1


class ReleaseStock(Command[Done], frozen=True, kw_only=True):
    """Give an order's hold back, pending or sold; what has shipped stays sold.

    Leaves a tombstone where there is no hold yet, so that a late ReserveStock finds
    it and takes nothing. A later `attempt` may hold again.
    """

    key = by("sku")
    remembered = False
    order_id: UUID
    sku: str
    attempt: int = 1


class CommitStock(Command[Done], frozen=True, kw_only=True):
    """Turn an order's hold into a sale: it stays reserved until it ships."""

    key = by("sku")
    remembered = False
    order_id: UUID
    sku: str


class ShipStock(Command[Done], frozen=True, kw_only=True):
    """`quantity` pieces of a sold hold leave the warehouse in shipment `shipment_id`.

    Acts once by (shipment_id, sku).
    """

    key = by("sku")
    order_id: UUID
    sku: str
    quantity: int
    shipment_id: UUID


def out_of_stock(*lines: tuple[str, int]) -> Refusal:
    """Too few pieces; each short line is named with what is available."""
    return conflict(
        "out-of-stock",
        "Not enough pieces are available.",
        *(
            FieldError(sku, "out-of-stock", f"{available} available")
            for sku, available in lines
        ),
    )
