"""Transfers: pieces go from one warehouse to another, all lines or none.

A transfer of one line is one step. With several lines, each SKU's owner first holds
the pieces where they are; only when all are held is each moved, out and in at once, so
what was begun can always be undone, and what is moved never has to come back.
"""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from actors.inventory.ledger import Ledger, changed
from actors.inventory.promises import (
    HELD,
    MOVED,
    RELEASED,
    decide_each,
    done,
    give_back,
    promise,
    tombstone,
)
from actors.inventory.timed import TimedHolds, first_refusal
from actors.kit.domain import handles, handles_many
from actors.kit.process import Run
from bus.inventory import (
    GetTransfer,
    TransferEnd,
    TransferStatus,
    TransferStock,
    TransferView,
    transfer_exceeds_available,
)
from bus.inventory.steps import (
    BeginTransfer,
    FinishTransfer,
    HoldForTransfer,
    LetGo,
    MovePieces,
    ReadTransfer,
    RefuseTransfer,
    SettleTransfer,
)
from bus.kit.refusals import Refusal, conflict, invalid, not_found
from bus.kit.values import Done
from persistence import inventory as store
from persistence.inventory import Hold, Transfer
from persistence.kit.database import Db
from persistence.kit.transaction import Tx


class Transfers(TimedHolds):
    """The transfer process and its steps."""

    @handles(TransferStock)
    async def transfer_stock(self, run: Run, m: TransferStock) -> TransferEnd:
        """Write it, then carry it out."""
        transfer = await run.step(
            BeginTransfer(transfer_id=m.transfer_id, request=m),
            opens=SettleTransfer(transfer_id=m.transfer_id),
        )
        return await self._carry(run, transfer)

    @handles(SettleTransfer)
    async def settle_transfer(self, run: Run, m: SettleTransfer) -> TransferEnd:
        """Take it up from what was committed of it."""
        transfer = await run.step(ReadTransfer(transfer_id=m.transfer_id))
        return await self._carry(run, transfer)

    async def _carry(self, run: Run, transfer: Transfer) -> TransferEnd:
        """Every line here acts once by (transfer, SKU), so all of it may run again."""
        if transfer.status is TransferStatus.IN_TRANSIT and transfer.refusal is None:
            steps: list[Any]
            if len(transfer.lines) > 1:
                steps = [_hold(transfer, n) for n in range(len(transfer.lines))]
            else:
                steps = [_move(transfer, 0)]
            ends = await asyncio.gather(
                *(run.ask(step) for step in steps), return_exceptions=True
            )
            if short := first_refusal(ends, transfer_exceeds_available()):
                transfer = await run.step(
                    RefuseTransfer(transfer_id=transfer.id, refusal=short.data)
                )
            elif len(transfer.lines) > 1:
                moves = [_move(transfer, n) for n in range(len(transfer.lines))]
                await asyncio.gather(*(run.ask(move) for move in moves))
        if transfer.refusal is not None:
            await asyncio.gather(*(run.ask(each) for each in _letting_go(transfer)))
        return await run.settle(FinishTransfer(transfer_id=transfer.id), last=True)

    # --- the transfer itself -------------------------------------------------

    @handles(BeginTransfer)
    async def begin_transfer(self, tx: Tx, m: BeginTransfer) -> Transfer:
        """Write that pieces are on their way: from now on neither end may close."""
        known = await store.find_transfer(tx, m.transfer_id)
        if known is not None:
            return known
        asked = m.request
        ends = {asked.from_warehouse_id, asked.to_warehouse_id}
        if len(ends) == 1:
            raise invalid("same-warehouse", "Pieces go from one to another.")
        if await store.hold_warehouses(tx, ends) != ends:
            raise not_found("warehouse")
        transfer = Transfer(
            id=m.transfer_id,
            from_warehouse_id=asked.from_warehouse_id,
            to_warehouse_id=asked.to_warehouse_id,
            status=TransferStatus.IN_TRANSIT,
            lines=asked.lines,
            reason=asked.reason,
            actor_id=asked.actor_id,
            refusal=None,
            version=1,
            created_at=tx.now,
            updated_at=tx.now,
        )
        await store.insert_transfer(tx, transfer)
        facts = {
            "from": transfer.from_warehouse_id,
            "to": transfer.to_warehouse_id,
            "quantities": {line.sku: line.quantity for line in transfer.lines},
        }
        tx.audit(m, transfer.id, after=facts)
        return transfer

    @handles(ReadTransfer)
    async def read_transfer(self, tx: Tx, m: ReadTransfer) -> Transfer:
        """The transfer as it stands."""
        return await self._known(tx, m.transfer_id)

    @handles(RefuseTransfer)
    async def refuse_transfer(self, tx: Tx, m: RefuseTransfer) -> Transfer:
        """Decide, before anything is let go, that it goes back."""
        transfer = await self._known(tx, m.transfer_id)
        if transfer.refusal is not None or _ended(transfer):
            return transfer
        return await self._save(tx, transfer, refusal=m.refusal)

    @handles(FinishTransfer)
    async def finish_transfer(self, tx: Tx, m: FinishTransfer) -> TransferEnd:
        """Nothing is held or missing any more."""
        transfer = await self._known(tx, m.transfer_id)
        if not _ended(transfer):
            refused = transfer.refusal is not None
            status = TransferStatus.REFUSED if refused else TransferStatus.COMPLETED
            transfer = await self._save(tx, transfer, status=status)
        return TransferEnd(
            transfer_id=transfer.id, status=transfer.status, refusal=transfer.refusal
        )

    @handles(GetTransfer)
    async def get_transfer(self, db: Db, q: GetTransfer) -> TransferView:
        """One transfer."""
        return _view(await self._known(db, q.transfer_id))

    async def _known(self, db: Db, transfer_id: UUID) -> Transfer:
        transfer = await store.find_transfer(db, transfer_id)
        if transfer is None:
            raise not_found("transfer")
        return transfer

    async def _save(self, tx: Tx, transfer: Transfer, **changes: object) -> Transfer:
        version = transfer.version + 1
        after = msgspec.structs.replace(
            transfer, version=version, updated_at=tx.now, **changes
        )
        await store.save_transfer(tx, after)
        return after

    # --- pieces, by SKU ------------------------------------------------------

    @handles_many(HoldForTransfer)
    async def hold_for_transfer(
        self, tx: Tx, messages: Sequence[HoldForTransfer]
    ) -> list[Done | Refusal]:
        """Hold pieces where they are; no alert, for they stay in the shop."""

        def decide(
            m: HoldForTransfer, hold: Hold | None, ledger: Ledger
        ) -> Hold | Refusal:
            if hold is not None:
                return _refused() if hold.state == RELEASED else hold
            available = ledger.row(m.sku, m.from_warehouse_id).available
            if available < m.quantity:
                return transfer_exceeds_available((m.sku, available))
            parts = {m.from_warehouse_id: m.quantity}
            promise(ledger, m.sku, parts, **_why(m))
            return _held(m, HELD, parts)

        return await decide_each(
            tx, messages, decide, done, holder="transfer_id", quiet=True
        )

    @handles_many(MovePieces)
    async def move_pieces(
        self, tx: Tx, messages: Sequence[MovePieces]
    ) -> list[Done | Refusal]:
        """Out and in: what is held already, or what is available."""
        order = (await store.read_order(tx)).warehouse_ids

        def decide(m: MovePieces, hold: Hold | None, ledger: Ledger) -> Hold | Refusal:
            if hold is not None and hold.state == MOVED:
                return hold
            if hold is not None and hold.state == RELEASED:
                return _refused()
            held = m.quantity if hold is not None else 0
            out = ledger.row(m.sku, m.from_warehouse_id)
            if out.available + held < m.quantity:
                return transfer_exceeds_available((m.sku, out.available))
            out = changed(out, -m.quantity, -held)
            ledger.move(m.sku, out, kind="TRANSFER_OUT", **_why(m))
            into = changed(ledger.row(m.sku, m.to_warehouse_id), m.quantity)
            ledger.move(m.sku, into, order, kind="TRANSFER_IN", **_why(m))
            ledger.tell_adjusted(m.sku, m.from_warehouse_id, -m.quantity)
            ledger.tell_adjusted(m.sku, m.to_warehouse_id, m.quantity)
            return _held(m, MOVED, {})

        return await decide_each(tx, messages, decide, done, holder="transfer_id")

    @handles_many(LetGo)
    async def let_go(self, tx: Tx, messages: Sequence[LetGo]) -> list[Done | Refusal]:
        """Hold pieces no longer; a tombstone stops what comes late."""

        def decide(m: LetGo, hold: Hold | None, ledger: Ledger) -> Hold | Refusal:
            if hold is None:
                return tombstone(m.transfer_id, m.sku)
            return give_back(ledger, hold, **_why(m)) if hold.state == HELD else hold

        return await decide_each(tx, messages, decide, done, holder="transfer_id")


# --- private -----------------------------------------------------------------


def _hold(transfer: Transfer, line: int) -> HoldForTransfer:
    return HoldForTransfer(
        transfer_id=transfer.id,
        sku=transfer.lines[line].sku,
        quantity=transfer.lines[line].quantity,
        from_warehouse_id=transfer.from_warehouse_id,
        reason=transfer.reason,
        actor_id=transfer.actor_id,
    )


def _move(transfer: Transfer, line: int) -> MovePieces:
    return MovePieces(
        transfer_id=transfer.id,
        sku=transfer.lines[line].sku,
        quantity=transfer.lines[line].quantity,
        from_warehouse_id=transfer.from_warehouse_id,
        to_warehouse_id=transfer.to_warehouse_id,
        reason=transfer.reason,
        actor_id=transfer.actor_id,
    )


def _letting_go(transfer: Transfer) -> list[LetGo]:
    return [
        LetGo(
            transfer_id=transfer.id,
            sku=line.sku,
            reason=transfer.reason,
            actor_id=transfer.actor_id,
        )
        for line in transfer.lines
    ]


def _why(m: HoldForTransfer | MovePieces | LetGo) -> dict[str, Any]:
    return {
        "reason": m.reason,
        "actor_id": m.actor_id,
        "transfer_id": m.transfer_id,
    }


def _held(m: HoldForTransfer | MovePieces, state: str, parts: dict[UUID, int]) -> Hold:
    return Hold(
        order_id=m.transfer_id,
        sku=m.sku,
        attempt=1,
        state=state,
        quantity=m.quantity,
        parts=parts,
    )


def _refused() -> Refusal:
    return conflict("transfer-refused", "This transfer was refused already.")


def _ended(transfer: Transfer) -> bool:
    return transfer.status is not TransferStatus.IN_TRANSIT


def _view(transfer: Transfer) -> TransferView:
    return TransferView(
        id=transfer.id,
        from_warehouse_id=transfer.from_warehouse_id,
        to_warehouse_id=transfer.to_warehouse_id,
        status=transfer.status,
        items=transfer.lines,
        reason=transfer.reason,
        actor_id=transfer.actor_id,
        refused_because=transfer.refusal.code if transfer.refusal else None,
        version=transfer.version,
        created_at=transfer.created_at,
        updated_at=transfer.updated_at,
    )
