"""What is said of stock and warehouses."""

from typing import Annotated
from uuid import UUID

from pydantic import Field, model_validator

from bus.inventory import QUANTITY_MAX
from serve_app.kit.bodies import Body, Line

Pieces = Annotated[int, Field(ge=0, le=QUANTITY_MAX)]
Code = Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9-]{0,31}$")]


class AdjustStockBody(Body):
    """A count (`on_hand`) or a change (`delta`) of a warehouse's pieces."""

    reason: Line
    warehouse_id: Annotated[UUID, Field(strict=False)] | None = None
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
    warehouse_id: Annotated[UUID, Field(strict=False)] | None = None


class WarehouseBody(Body):
    """A warehouse; stock is taken from the lowest `priority` first."""

    code: Code
    name: Line
    priority: Annotated[int, Field(ge=0, le=1_000_000)] = 100
