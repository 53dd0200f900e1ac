"""What inventory answers to over NATS (contract §4): strict bodies."""

from typing import Annotated, Any
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec

from bus.inventory.stock import NATS_CALLER, AdjustStock, GetStock
from bus.inventory.timed import (
    HOLD_LINES_MAX,
    HOLD_SECONDS,
    HOLD_SECONDS_MAX,
    HoldStock,
    ReleaseHold,
    TakeHold,
)
from bus.inventory.views import ON_HAND_MAX, QUANTITY_MAX, HeldLine
from bus.kit.addressing import derived_id, new_id
from bus.kit.refusals import invalid
from bus.kit.values import Value

REASON_CHARACTERS_MAX = 200

Sku = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Pieces = Annotated[int, msgspec.Meta(ge=1, le=QUANTITY_MAX)]
Code = Annotated[str, msgspec.Meta(pattern=r"^[A-Z0-9][A-Z0-9-]{0,31}$")]
Reason = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=REASON_CHARACTERS_MAX,
        pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$",
    ),
]
IdempotencyKey = Annotated[str, msgspec.Meta(min_length=16, max_length=64)]


class GetStockRequest(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `inventory.get-stock`."""

    sku: Sku

    def to_message(self) -> GetStock:
        """The query that is meant."""
        return GetStock(sku=self.sku)


class HeldItem(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """So many pieces of a SKU."""

    sku: Sku
    quantity: Pieces


class ReserveStockRequest(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `inventory.reserve-stock`: hold pieces for a time, or give back.

    To hold: `sku` and `quantity`, or `items`; all of them are held or none. They go
    back by themselves after `expires_seconds`. `order_id` may name the order of
    whoever asks; it is noted and answered. With an `idempotency_key` it acts once.
    To give back before the time: `hold_id` and `release: true`.
    """

    sku: Sku | None = None
    quantity: Pieces | None = None
    items: (
        Annotated[
            tuple[HeldItem, ...], msgspec.Meta(min_length=1, max_length=HOLD_LINES_MAX)
        ]
        | None
    ) = None
    expires_seconds: Annotated[int, msgspec.Meta(ge=1, le=HOLD_SECONDS_MAX)] = (
        HOLD_SECONDS
    )
    order_id: UUID | None = None
    hold_id: UUID | None = None
    release: bool = False
    idempotency_key: IdempotencyKey | None = None

    def to_message(self) -> HoldStock | ReleaseHold:
        """The command that it asks for; refuses what says too much or too little."""
        one = (self.sku, self.quantity)
        if self.hold_id is not None or self.release:
            if self.hold_id is None or not self.release:
                raise invalid("release-and-hold-id", "Give `hold_id` and `release`.")
            if one != (None, None) or self.items is not None:
                raise invalid("hold-or-release", "What is released holds nothing new.")
            return ReleaseHold(hold_id=self.hold_id)
        if (self.items is None) == (one == (None, None)) or one.count(None) == 1:
            raise invalid("sku-or-items", "Give `sku` and `quantity`, or `items`.")
        pieces: dict[str, int] = {}
        if self.sku is not None and self.quantity is not None:
            pieces[self.sku] = self.quantity
        for item in self.items or ():
            pieces[item.sku] = pieces.get(item.sku, 0) + item.quantity
        return HoldStock(
            hold_id=self._hold_id(),
            lines=tuple(HeldLine(sku=s, quantity=n) for s, n in sorted(pieces.items())),
            expires_seconds=self.expires_seconds,
            order_id=self.order_id,
        )

    def _hold_id(self) -> UUID:
        """The same one each time that the same key comes."""
        if self.idempotency_key is None:
            return new_id()
        source = uuid5(NAMESPACE_URL, f"nats:hold:{self.idempotency_key}")
        return derived_id(source, "hold")


class UpdateStockRequest(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `inventory.update-stock`: count pieces anew, or in and out.

    To count: `sku`, `reason` and either `delta` or `on_hand`. The warehouse is named
    by `warehouse_id` or by its `warehouse` code; without either the shop's first one
    is meant. Or `hold_id` alone: what was held was sold, and its pieces leave. With an
    `idempotency_key` it acts once.
    """

    sku: Sku | None = None
    reason: Reason | None = None
    delta: Annotated[int, msgspec.Meta(ge=-ON_HAND_MAX, le=QUANTITY_MAX)] | None = None
    on_hand: Annotated[int, msgspec.Meta(ge=0, le=QUANTITY_MAX)] | None = None
    warehouse_id: UUID | None = None
    warehouse: Code | None = None
    hold_id: UUID | None = None
    idempotency_key: IdempotencyKey | None = None

    def to_message(self) -> AdjustStock | TakeHold:
        """The command that it asks for; refuses what says too much or too little."""
        counts = (self.sku, self.reason, self.delta, self.on_hand)
        places = (self.warehouse_id, self.warehouse)
        if self.hold_id is not None:
            if any(value is not None for value in (*counts, *places)):
                raise invalid("hold-or-count", "What is taken is the whole hold.")
            return TakeHold(hold_id=self.hold_id)
        if self.sku is None or self.reason is None:
            raise invalid("sku-and-reason", "Give `sku` and `reason`, or `hold_id`.")
        if None not in places:
            raise invalid("one-warehouse", "Give `warehouse_id` or `warehouse`.")
        return AdjustStock(
            sku=self.sku,
            reason=self.reason,
            delta=self.delta,
            on_hand=self.on_hand,
            warehouse_id=self.warehouse_id,
            warehouse_code=self.warehouse,
            actor_id=NATS_CALLER,
        )


SERVICES: dict[str, Any] = {
    "inventory.get-stock": GetStockRequest,
    "inventory.reserve-stock": ReserveStockRequest,
    "inventory.update-stock": UpdateStockRequest,
}
"""NATS subject → the form of its request."""
