"""What is said of warehouses: all of it meets in one slot, so their list is one."""

from uuid import UUID

from bus.inventory.views import WarehouseView
from bus.kit.messages import ANY, Command, Query, by
from bus.kit.refusals import Refusal, conflict
from bus.kit.values import Done, Page

WAREHOUSES = "warehouses"
WAREHOUSES_MAX = 500


class CreateWarehouse(Command[WarehouseView], frozen=True, kw_only=True):
    """Open a warehouse; its `code` is claimed: 409 `warehouse-code-taken`."""

    key = by("register")
    warehouse_id: UUID
    code: str
    name: str
    priority: int = 100
    register: str = WAREHOUSES


class UpdateWarehouse(Command[WarehouseView], frozen=True, kw_only=True):
    """Rewrite a warehouse of the version that was seen; None takes any.

    A code that is given up is free at once. A new priority counts for all pieces
    promised after it, in every shard.
    """

    key = by("register")
    warehouse_id: UUID
    code: str
    name: str
    priority: int
    version: int | None = None
    register: str = WAREHOUSES


class CloseWarehouse(Command[Done], frozen=True, kw_only=True):
    """Close an empty warehouse for good; its movements stay readable.

    Refused as `warehouse-in-use` and `last-warehouse`.
    """

    key = by("register")
    warehouse_id: UUID
    version: int | None = None
    register: str = WAREHOUSES


class ListWarehouses(Query[Page[WarehouseView]], frozen=True, kw_only=True):
    """All warehouses, in the order in which stock is taken from them."""

    key = ANY


def warehouse_code_taken() -> Refusal:
    """Another open warehouse has this code."""
    return conflict("warehouse-code-taken", "Another warehouse has this code.")


def warehouse_in_use() -> Refusal:
    """Pieces lie there, are being put there, or are on their way to or from it."""
    return conflict("warehouse-in-use", "Pieces are there, or on their way.")


def last_warehouse() -> Refusal:
    """A shop keeps at least one warehouse."""
    return conflict("last-warehouse", "A shop keeps at least one warehouse.")
