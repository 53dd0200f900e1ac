"""What inventory answers to over NATS (contract §4): strict bodies."""

from typing import Annotated

import msgspec

from bus.inventory.stock import GetStock
from bus.kit.values import Value

Sku = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class GetStockRequest(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `inventory.get-stock`."""

    sku: Sku

    def to_message(self) -> GetStock:
        """The query that is meant."""
        return GetStock(sku=self.sku)


SERVICES = {"inventory.get-stock": GetStockRequest}
"""NATS subject → the form of its request."""
