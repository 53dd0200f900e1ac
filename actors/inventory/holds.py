"""Holds: pieces promised to an order, given back, sold, shipped."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from actors.inventory.ledger import Ledger, allocate, changed, tell_adjusted
from actors.kit.domain import Domain, handles_many
from bus.inventory import (
    CommitStock,
    ReleaseStock,
    Reserved,
    ReserveStock,
    ShipStock,
    StockCommitted,
    StockReleased,
    StockReserved,
    out_of_stock,
)
from bus.kit.refusals import Refusal, conflict, invalid
from bus.kit.values import Done
from persistence import inventory as store
from persistence.inventory import Hold, Stock
from persistence.kit.transaction import Tx

M = TypeVar("M", ReserveStock, ReleaseStock, CommitStock, ShipStock)

HELD, COMMITTED, RELEASED = "HELD", "COMMITTED", "RELEASED"


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
            stock = ledger.stocks[m.sku]
            if hold is not None and hold.attempt >= m.attempt:
                if hold.state != RELEASED:
                    return hold
                return conflict("hold-released", "This hold was already given back.")
            if not m.quantity > 0:
                return invalid("quantity-out-of-range")
            parts = allocate(stock, m.quantity)
            if parts is None:
                return out_of_stock((m.sku, stock.available))
            for warehouse_id, pieces in parts.items():
                row = changed(ledger.row(m.sku, warehouse_id), reserved=pieces)
                ledger.move(
                    m.sku, row, kind="RESERVE", reason="order", order_id=m.order_id
                )
            available = ledger.stocks[m.sku].available
            tx.tell(
                StockReserved(
                    sku=m.sku,
                    order_id=m.order_id,
                    quantity=m.quantity,
                    available=available,
                ),
                about=m,
            )
            return Hold(
                order_id=m.order_id,
                sku=m.sku,
                attempt=m.attempt,
                state=HELD,
                quantity=m.quantity,
                parts=parts,
            )

        return await _each(
            tx, messages, decide, lambda _, stock: Reserved(stock.available)
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
                return Hold(
                    order_id=m.order_id,
                    sku=m.sku,
                    attempt=m.attempt,
                    state=RELEASED,
                    quantity=0,
                )
            if hold.state == RELEASED or hold.attempt > m.attempt:
                return hold
            back = 0
            for warehouse_id, pieces in hold.parts.items():
                row = changed(ledger.row(m.sku, warehouse_id), reserved=-pieces)
                ledger.move(
                    m.sku, row, kind="RELEASE", reason="order", order_id=m.order_id
                )
                back += pieces
            available = ledger.stocks[m.sku].available
            tx.tell(
                StockReleased(
                    sku=m.sku, order_id=m.order_id, quantity=back, available=available
                ),
                about=m,
            )
            return msgspec.structs.replace(hold, state=RELEASED, parts={})

        return await _each(tx, messages, decide, _done)

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

        return await _each(tx, messages, decide, _done)

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
                    tell_adjusted(tx, ledger, m.sku, row, -gone, m.order_id)
            return msgspec.structs.replace(
                hold,
                shipped=hold.shipped + m.quantity,
                parts={key: pieces for key, pieces in parts.items() if pieces},
            )

        return await _each(tx, messages, decide, _done)


# --- private -----------------------------------------------------------------


async def _each(
    tx: Tx,
    messages: Sequence[M],
    decide: Callable[[M, Hold | None, Ledger], Hold | Refusal],
    reply: Callable[[Hold, Stock], object],
) -> list[Any]:
    """Decide a round in memory, one message after another, then write it at once."""
    ledger = Ledger(tx, await store.load_stock(tx, {m.sku for m in messages}))
    holds = await store.load_holds(tx, [(m.order_id, m.sku) for m in messages])
    before = dict(holds)
    answers: list[Any] = []
    for message in messages:
        key = (message.order_id, message.sku)
        hold = decide(message, holds.get(key), ledger)
        if isinstance(hold, Refusal):
            answers.append(hold)
            continue
        holds[key] = hold
        answers.append(reply(hold, ledger.stocks[message.sku]))
    if ledger.moves:
        await store.save_stock(tx, ledger.stocks, ledger.moves)
    if new := [hold for key, hold in holds.items() if before.get(key) != hold]:
        await store.save_holds(tx, new)
    return answers


def _done(_: Hold, __: Stock) -> Done:
    return Done()
