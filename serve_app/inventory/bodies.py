"""What is said of stock and warehouses."""

from typing import Annotated
from uuid import UUID

from pydantic import Field, model_validator

from bus.inventory import QUANTITY_MAX, TRANSFER_LINES_MAX, TransferLine
from serve_app.kit.bodies import Body, Line, Sku

Pieces = Annotated[int, Field(ge=0, le=QUANTITY_MAX)]
SomePieces = Annotated[int, Field(ge=1, le=QUANTITY_MAX)]
WarehouseId = Annotated[UUID, Field(strict=False)]
Priority = Annotated[int, Field(ge=0, le=1_000_000)]
Code = Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9-]{0,31}$")]


class AdjustStockBody(Body):
    """A count (`on_hand`) or a change (`delta`) of a warehouse's pieces."""

    reason: Line
    warehouse_id: WarehouseId | None = None
    delta: Annotated[int, Field(ge=-QUANTITY_MAX, le=QUANTITY_MAX)] | None = None
    on_hand: Pieces | None = None

    @model_validator(mode="after")
    def _one_of(self) -> "AdjustStockBody":
        if (self.delta is None) == (self.on_hand is None):
            raise ValueError("Give either delta or on_hand")
        return self


class ThresholdBody(Body):
    """At how many available pieces a SKU counts as low."""

    threshold: Pieces
    warehouse_id: WarehouseId | None = None


class WarehouseBody(Body):
    """A warehouse; stock is taken from the lowest `priority` first."""

    code: Code
    name: Line
    priority: Priority = 100


class WholeWarehouseBody(Body):
    """All that a warehouse is; nothing of it is left as it was."""

    code: Code
    name: Line
    priority: Priority


class TransferItemBody(Body):
    """So many pieces of a SKU."""

    sku: Sku
    quantity: SomePieces


class TransferBody(Body):
    """Pieces that go from one warehouse to another: one SKU's, or `items`."""

    from_warehouse_id: WarehouseId
    to_warehouse_id: WarehouseId
    sku: Sku | None = None
    quantity: SomePieces | None = None
    items: (
        Annotated[
            list[TransferItemBody],
            Field(min_length=1, max_length=TRANSFER_LINES_MAX),
        ]
        | None
    ) = None
    reason: Line = "transfer"

    @model_validator(mode="after")
    def _one_of(self) -> "TransferBody":
        if (self.sku is None) != (self.quantity is None):
            raise ValueError("Give both sku and quantity")
        if (self.sku is None) == (self.items is None):
            raise ValueError("Give sku and quantity, or items")
        return self

    def lines(self) -> tuple[TransferLine, ...]:
        """What is moved, each SKU once, by SKU."""
        pieces: dict[str, int] = {}
        if self.sku is not None and self.quantity is not None:
            pieces[self.sku] = self.quantity
        for item in self.items or ():
            pieces[item.sku] = pieces.get(item.sku, 0) + item.quantity
        return tuple(TransferLine(sku=s, quantity=n) for s, n in sorted(pieces.items()))
