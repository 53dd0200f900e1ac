"""Holds that end by the clock: asked for by who has no order in this shop."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from actors.inventory.holds import Holds, released
from actors.inventory.ledger import Ledger
from actors.inventory.promises import (
    COMMITTED,
    HELD,
    RELEASED,
    decide_each,
    done,
    tombstone,
)
from actors.kit.domain import handles, handles_many
from actors.kit.process import Run
from bus.inventory import (
    BeginHold,
    CommitStock,
    EndHold,
    Held,
    HeldLine,
    HeldStock,
    HoldPieces,
    HoldStock,
    Released,
    ReleaseHold,
    ShipStock,
    TakeHold,
    Taken,
    out_of_stock,
)
from bus.kit.addressing import derived_id
from bus.kit.refusals import FieldError, Refusal, conflict, not_found
from bus.kit.values import Done
from persistence import inventory as store
from persistence.inventory import Hold, TimedHold
from persistence.kit.transaction import Tx

EXPIRED, GIVEN_BACK = "expired", "given back"
SHORT, NOT_TAKEN = "another line is short", "another line has ended"


class TimedHolds(Holds):
    """What is held without an order; each SKU's owner has the clock for its pieces."""

    @handles(HoldStock)
    async def hold_stock(self, run: Run, m: HoldStock) -> HeldStock:
        """Hold every line, or none; run again it finds what it holds already."""
        await run.step(BeginHold(hold_id=m.hold_id), opens=m)
        ends: list[Any] = await asyncio.gather(
            *(
                run.ask(
                    HoldPieces(
                        hold_id=m.hold_id,
                        sku=line.sku,
                        quantity=line.quantity,
                        expires_seconds=m.expires_seconds,
                        order_id=m.order_id,
                    )
                )
                for line in m.lines
            ),
            return_exceptions=True,
        )
        if short := first_refusal(ends, out_of_stock()):
            skus = [line.sku for line in m.lines]
            await self._end(run, m.hold_id, skus, SHORT)
            raise short
        return HeldStock(
            hold_id=m.hold_id,
            items=m.lines,
            expires_at=min(end.expires_at for end in ends),
            order_id=m.order_id,
        )

    @handles(ReleaseHold)
    async def release_hold(self, run: Run, m: ReleaseHold) -> Released:
        """Give every line back that the hold still has."""
        async with self.read() as db:
            lines = await store.read_timed(db, m.hold_id)
        if not lines:
            raise not_found("hold")
        await self._end(run, m.hold_id, [line.sku for line in lines], GIVEN_BACK)
        return Released(hold_id=m.hold_id)

    @handles(TakeHold)
    async def take_hold(self, run: Run, m: TakeHold) -> Taken:
        """Sell every line, which stops its clock, then let all of them leave."""
        async with self.read() as db:
            lines = await store.read_timed(db, m.hold_id)
        if not lines:
            raise not_found("hold")
        await run.step(BeginHold(hold_id=m.hold_id), opens=m)
        skus = [line.sku for line in lines]
        ends = await asyncio.gather(
            *(run.ask(CommitStock(order_id=m.hold_id, sku=sku)) for sku in skus),
            return_exceptions=True,
        )
        if first_refusal(ends, out_of_stock()):
            await self._end(run, m.hold_id, skus, NOT_TAKEN)
            raise conflict("hold-ended", "Its time was up, or it was given back.")
        await asyncio.gather(
            *(run.ask(_ship(line), id=_ship_id(line)) for line in lines if line.parts)
        )
        items = (HeldLine(sku=line.sku, quantity=line.quantity) for line in lines)
        return Taken(hold_id=m.hold_id, items=tuple(items))

    @handles(BeginHold)
    async def begin_hold(self, tx: Tx, _: BeginHold) -> Done:  # noqa: ARG002
        """Nothing of its own: the kit writes that the process has begun."""
        return Done()

    @handles_many(HoldPieces)
    async def hold_pieces(
        self, tx: Tx, messages: Sequence[HoldPieces]
    ) -> list[Held | Refusal]:
        """Hold pieces, and leave due what gives them back."""
        timed = await store.load_timed(tx, [(m.hold_id, m.sku) for m in messages])
        new: list[TimedHold] = []

        def decide(m: HoldPieces, hold: Hold | None, ledger: Ledger) -> Hold | Refusal:
            if hold is not None:
                if hold.state != RELEASED:
                    return hold
                return conflict("hold-released", "This hold was already given back.")
            wanted = Hold(
                order_id=m.hold_id,
                sku=m.sku,
                attempt=1,
                state=HELD,
                quantity=m.quantity,
            )
            after = self._hold(ledger, wanted, m, "hold")
            if isinstance(after, Hold):
                new.append(_timed(tx, m))
                timed[m.hold_id, m.sku] = new[-1]
            return after

        answers = await decide_each(
            tx,
            messages,
            decide,
            lambda m, _, stock: Held(
                available=stock.available,
                expires_at=timed[m.hold_id, m.sku].expires_at,
            ),
            holder="hold_id",
        )
        if new:
            await store.save_timed(tx, new)
        for one in new:
            end = EndHold(hold_id=one.hold_id, sku=one.sku, reason=EXPIRED)
            tx.due(_due_name(end), one.expires_at, end)
        return answers

    @handles_many(EndHold)
    async def end_hold(
        self, tx: Tx, messages: Sequence[EndHold]
    ) -> list[Done | Refusal]:
        """Give pieces back; where there are none yet, leave a tombstone."""

        def decide(m: EndHold, hold: Hold | None, ledger: Ledger) -> Hold | Refusal:
            if hold is None:
                return tombstone(m.hold_id, m.sku)
            if hold.state == COMMITTED and (m.reason != NOT_TAKEN or hold.shipped):
                # Sold in time. Only who sells it may think better of it.
                return hold_taken() if m.reason == GIVEN_BACK else hold
            return (
                hold if hold.state == RELEASED else released(ledger, hold, m, m.reason)
            )

        answers = await decide_each(tx, messages, decide, done, holder="hold_id")
        for m, answer in zip(messages, answers, strict=True):
            if m.reason != EXPIRED and isinstance(answer, Done):
                tx.cancel_due(_due_name(m))
        return answers

    async def _end(self, run: Run, hold_id: UUID, skus: list[str], reason: str) -> None:
        await asyncio.gather(
            *(run.ask(EndHold(hold_id=hold_id, sku=sku, reason=reason)) for sku in skus)
        )


def first_refusal(ends: Sequence[Any], named: Refusal) -> Refusal | None:
    """The refusal that names all lines which were refused; raises what is none."""
    errors: list[FieldError] = []
    for end in ends:
        if isinstance(end, Refusal):
            errors += end.data.errors or (FieldError("", end.code),)
        elif isinstance(end, BaseException):
            raise end
    if not errors:
        return None
    data = named.data
    return Refusal(data.kind, data.code, data.detail, tuple(errors))


def hold_taken() -> Refusal:
    """Its pieces are sold, and leave or have left."""
    return conflict("hold-taken", "Its pieces were taken.")


def _timed(tx: Tx, m: HoldPieces) -> TimedHold:
    return TimedHold(
        hold_id=m.hold_id,
        sku=m.sku,
        expires_at=tx.now + timedelta(seconds=m.expires_seconds),
        order_id=m.order_id,
    )


def _ship(line: Hold) -> ShipStock:
    return ShipStock(
        order_id=line.order_id,
        sku=line.sku,
        quantity=line.quantity,
        shipment_id=line.order_id,
    )


def _ship_id(line: Hold) -> UUID:
    """The id of the one time that a line of a hold leaves."""
    return derived_id(line.order_id, f"taken:{line.sku}", line.sku)


def _due_name(m: EndHold) -> str:
    return f"hold:{m.hold_id}:{m.sku}"
