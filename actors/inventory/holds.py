"""Holds: pieces promised to an order, given back, sold, shipped."""

from collections.abc import Sequence

import msgspec

from actors.inventory.allocation import allocate
from actors.inventory.ledger import Ledger, changed
from actors.inventory.promises import (
    COMMITTED,
    HELD,
    RELEASED,
    decide_each,
    done,
    give_back,
    promise,
    tombstone,
)
from actors.kit.domain import Domain, handles_many
from bus.inventory import (
    CommitStock,
    HoldPieces,
    ReleaseStock,
    Reserved,
    ReserveStock,
    ShipStock,
    StockCommitted,
    StockReleased,
    StockReserved,
    out_of_stock,
)
from bus.kit.messages import Message
from bus.kit.refusals import Refusal, conflict, invalid
from bus.kit.values import Done
from persistence.inventory import Hold
from persistence.kit.transaction import Tx


class Holds(Domain):
    """What orders ask of the stock."""

    @handles_many(ReserveStock)
    async def reserve_stock(
        self, tx: Tx, messages: Sequence[ReserveStock]
    ) -> list[Reserved | Refusal]:
        """Hold pieces for orders: decided in memory, written in three statements."""

        def decide(
            m: ReserveStock, hold: Hold | None, ledger: Ledger
        ) -> Hold | Refusal:
            if hold is not None and hold.state != RELEASED:
                # An earlier attempt's pieces are the order's still: it keeps them.
                attempt = max(hold.attempt, m.attempt)
                return msgspec.structs.replace(hold, attempt=attempt)
            if hold is not None and hold.attempt >= m.attempt:
                return conflict("hold-released", "This hold was already given back.")
            wanted = Hold(
                order_id=m.order_id,
                sku=m.sku,
                attempt=m.attempt,
                state=HELD,
                quantity=m.quantity,
            )
            return self._hold(ledger, wanted, m, "order")

        return await decide_each(
            tx, messages, decide, lambda _, __, stock: Reserved(stock.available)
        )

    @handles_many(ReleaseStock)
    async def release_stock(
        self, tx: Tx, messages: Sequence[ReleaseStock]
    ) -> list[Done | Refusal]:
        """Give holds back; where there is none yet, leave a tombstone."""

        def decide(
            m: ReleaseStock, hold: Hold | None, ledger: Ledger
        ) -> Hold | Refusal:
            if hold is None or (hold.attempt < m.attempt and hold.state == RELEASED):
                return tombstone(m.order_id, m.sku, m.attempt)
            if hold.state == RELEASED or hold.attempt > m.attempt:
                return hold
            after = released(ledger, hold, m, "order")
            return msgspec.structs.replace(after, attempt=m.attempt)

        return await decide_each(tx, messages, decide, done)

    @handles_many(CommitStock)
    async def commit_stock(
        self, tx: Tx, messages: Sequence[CommitStock]
    ) -> list[Done | Refusal]:
        """Turn holds into sales; the pieces stay reserved until they ship."""

        def decide(m: CommitStock, hold: Hold | None, ledger: Ledger) -> Hold | Refusal:
            if hold is None or hold.state == RELEASED:
                return conflict("no-hold", "Nothing is held for this order.")
            if hold.state == COMMITTED:
                return hold
            available = ledger.stocks[m.sku].available
            tx.tell(
                StockCommitted(
                    sku=m.sku,
                    order_id=m.order_id,
                    quantity=hold.quantity,
                    available=available,
                ),
                about=m,
            )
            return msgspec.structs.replace(hold, state=COMMITTED)

        return await decide_each(tx, messages, decide, done)

    @handles_many(ShipStock)
    async def ship_stock(
        self, tx: Tx, messages: Sequence[ShipStock]
    ) -> list[Done | Refusal]:
        """Pieces leave: both `on_hand` and `reserved` fall."""

        def decide(m: ShipStock, hold: Hold | None, ledger: Ledger) -> Hold | Refusal:
            if hold is None or hold.state != COMMITTED:
                return conflict("no-hold", "Nothing is sold to this order.")
            if m.quantity > sum(hold.parts.values()):
                return conflict("ships-too-much", "More than was sold.")
            parts, left = dict(hold.parts), m.quantity
            for warehouse_id, pieces in hold.parts.items():
                gone = min(pieces, left)
                left -= gone
                parts[warehouse_id] = pieces - gone
                if gone:
                    row = changed(ledger.row(m.sku, warehouse_id), -gone, -gone)
                    ledger.move(
                        m.sku, row, kind="SHIP", reason="shipment", order_id=m.order_id
                    )
                    ledger.tell_adjusted(m.sku, warehouse_id, -gone, m.order_id)
            return msgspec.structs.replace(
                hold,
                shipped=hold.shipped + m.quantity,
                parts={key: pieces for key, pieces in parts.items() if pieces},
            )

        return await decide_each(tx, messages, decide, done)

    def _hold(
        self, ledger: Ledger, wanted: Hold, m: ReserveStock | HoldPieces, reason: str
    ) -> Hold | Refusal:
        """Promise what is wanted by the shop's rule, and tell of it."""
        stock, sku = ledger.stocks[wanted.sku], wanted.sku
        if not wanted.quantity > 0:
            return invalid("quantity-out-of-range")
        parts = allocate(stock, wanted.quantity, self.settings.allocation)
        if parts is None:
            return out_of_stock((sku, stock.available))
        promise(ledger, sku, parts, reason=reason, order_id=wanted.order_id)
        ledger.tx.tell(
            StockReserved(
                sku=sku,
                order_id=wanted.order_id,
                quantity=wanted.quantity,
                available=ledger.stocks[sku].available,
            ),
            about=m,
        )
        return msgspec.structs.replace(wanted, parts=parts)


def released(ledger: Ledger, hold: Hold, m: Message, reason: str) -> Hold:
    """Give a hold back, and tell of it."""
    after = give_back(ledger, hold, reason=reason, order_id=hold.order_id)
    ledger.tx.tell(
        StockReleased(
            sku=hold.sku,
            order_id=hold.order_id,
            quantity=sum(hold.parts.values()),
            available=ledger.stocks[hold.sku].available,
        ),
        about=m,
    )
    return after
