"""All faults that are planted."""

from tests.audit.events_plants import EFFECTS, EVENTS, PRIVACY, PROCESSES
from tests.audit.money_plants import MONEY
from tests.audit.planting import Plant
from tests.audit.rows_plants import CARTS, ORDERS
from tests.audit.stock_plants import HOLDS, STOCK

PLANTS: tuple[Plant, ...] = (
    *ORDERS,
    *CARTS,
    *HOLDS,
    *STOCK,
    *MONEY,
    *EVENTS,
    *EFFECTS,
    *PROCESSES,
    *PRIVACY,
)

__all__ = ["PLANTS", "Plant"]
