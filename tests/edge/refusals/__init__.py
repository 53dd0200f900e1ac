"""A request for every refusal; see `table.REFUSALS`."""

from tests.edge.refusals import (
    asking,
    goods,
    messages,
    orders,
    payments,
    people,
    stock,
    warehouses,
)
from tests.edge.refusals.table import ELSEWHERE, REFUSALS, Provoke

__all__ = [
    "ELSEWHERE",
    "REFUSALS",
    "Provoke",
    "asking",
    "goods",
    "messages",
    "orders",
    "payments",
    "people",
    "stock",
    "warehouses",
]
