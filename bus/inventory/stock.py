"""What keepers of stock say and ask: counts, thresholds, movements."""

from uuid import UUID

from bus.inventory.views import Availability, MovementView, StockView
from bus.kit.messages import ANY, Command, Query, by
from bus.kit.values import Page

NATS_CALLER = UUID("00000000-0000-7000-8000-6e6174730000")
"""Who stands in a movement that was asked for over NATS."""


class AdjustStock(Command[StockView], frozen=True, kw_only=True):
    """Set (`on_hand`) or change (`delta`) the pieces in a warehouse.

    Exactly one of the two is given. The warehouse is named by id or by code; without
    either the first one is meant. Refused as `below-zero`, `below-reserved` or
    `above-maximum`; with a `version` only done while that is the SKU's.
    """

    key = by("sku")
    sku: str
    reason: str
    warehouse_id: UUID | None = None
    delta: int | None = None
    on_hand: int | None = None
    actor_id: UUID | None = None
    warehouse_code: str | None = None
    version: int | None = None


class SetThreshold(Command[StockView], frozen=True, kw_only=True):
    """Set the number of available pieces at which a SKU counts as low.

    It is looked at at once: a threshold raised above what is available tells
    StockLow, one lowered beneath it StockReplenished.
    """

    key = by("sku")
    sku: str
    threshold: int
    warehouse_id: UUID | None = None
    actor_id: UUID | None = None
    version: int | None = None


class GetStock(Query[StockView], frozen=True, kw_only=True):
    """The stock of one SKU; 404 when no warehouse ever held it."""

    key = by("sku")
    sku: str


class GetAvailability(Query[Availability], frozen=True, kw_only=True):
    """How many pieces of each of `skus` may be promised."""

    key = ANY
    skus: tuple[str, ...]


class ListMovements(Query[Page[MovementView]], frozen=True, kw_only=True):
    """The movements of a SKU, newest first."""

    key = by("sku")
    sku: str
    limit: int = 20
    cursor: str | None = None


class ListLowStock(Query[Page[StockView]], frozen=True, kw_only=True):
    """The SKUs whose available pieces are at or below their threshold."""

    key = ANY
    limit: int = 20
    cursor: str | None = None
    skus: tuple[str, ...] | None = None
