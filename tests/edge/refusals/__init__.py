"""A request for every refusal; see `table.REFUSALS`."""

from tests.edge.refusals import asking, orders, payments, stock, warehouses
from tests.edge.refusals.table import ELSEWHERE, REFUSALS, Provoke

__all__ = [
    "ELSEWHERE",
    "REFUSALS",
    "Provoke",
    "asking",
    "orders",
    "payments",
    "stock",
    "warehouses",
]
