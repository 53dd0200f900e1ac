"""Shipments of an order: one a seller, and what of them has arrived; pure functions.

Lines say how many pieces of a SKU have arrived, not in which shipment they were: those
of the oldest one arrive first.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from uuid import UUID

from msgspec.structs import replace

from bus.kit.addressing import derived_id
from bus.orders import AdvanceOrder, Shipment
from persistence.orders import Order


def packed(
    order: Order,
    m: AdvanceOrder,
    pieces: Mapping[str, int],
    parcel_id: UUID,
    now: datetime,
) -> tuple[Shipment, ...]:
    """The shipments that leave together, one for each seller of these pieces.

    A later one of an order is never older than one before, whatever the clock does.
    """
    sellers = {line.sku: line.seller_id for line in order.lines}
    shares: dict[UUID | None, dict[str, int]] = {}
    for sku, count in pieces.items():
        shares.setdefault(sellers[sku], {})[sku] = count
    last = max((one.created_at for one in order.shipments), default=now)
    return tuple(
        Shipment(
            id=parcel_id if place == 0 else _part_id(order, parcel_id, seller_id),
            carrier=m.carrier,
            tracking_number=m.tracking_number,
            items=items,
            created_at=max(last, now),
            seller_id=seller_id,
            parcel_id=parcel_id,
        )
        for place, (seller_id, items) in enumerate(shares.items())
    )


def left_together(order: Order, parcel_id: UUID) -> list[Shipment]:
    """The shipments that were made as one parcel."""
    return [one for one in order.shipments if (one.parcel_id or one.id) == parcel_id]


def arrived(order: Order, now: datetime) -> tuple[Shipment, ...]:
    """The order's shipments; those that are complete now have arrived now."""
    return tuple(
        one if one.delivered_at or rest else replace(one, delivered_at=now)
        for one, rest in _under_way(order)
    )


def rest_of(order: Order, shipment_id: UUID) -> dict[str, int]:
    """What of a shipment has not arrived yet, by SKU."""
    found = (rest for one, rest in _under_way(order) if one.id == shipment_id)
    return next(found, {})


# --- private -----------------------------------------------------------------


def _part_id(order: Order, parcel_id: UUID, seller_id: UUID | None) -> UUID:
    return derived_id(parcel_id, f"seller {seller_id}", order.id)


def _under_way(order: Order) -> Iterator[tuple[Shipment, dict[str, int]]]:
    """Each shipment, and what of it has not arrived."""
    there = {line.sku: line.delivered for line in order.lines}
    for one in order.shipments:
        rest: dict[str, int] = {}
        for sku, count in one.items.items():
            here = min(there.get(sku, 0), count)
            there[sku] = there.get(sku, 0) - here
            if count > here:
                rest[sku] = count - here
        yield one, rest
