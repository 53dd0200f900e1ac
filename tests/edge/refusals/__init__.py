"""A request for every refusal; see `table.REFUSALS`."""

from tests.edge.refusals import asking, orders, payments, stock
from tests.edge.refusals.table import REFUSALS, Provoke

__all__ = ["REFUSALS", "Provoke", "asking", "orders", "payments", "stock"]
