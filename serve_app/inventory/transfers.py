"""Routes of transfers between warehouses."""

from uuid import UUID

from bus.inventory import GetTransfer, TransferStock, TransferView
from bus.kit.addressing import derived_id
from bus.kit.refusals import Refusal
from serve_app.inventory.bodies import TransferBody
from serve_app.inventory.router import router
from serve_app.kit.routing import (
    ADMIN,
    Answer,
    Caller,
    ask,
    created,
)

TRANSFER_SECONDS_MAX = 30.0


@router.post(
    "/inventory/transfers", access=ADMIN, idempotent=True, status=201, also=(404,)
)
async def transfer_stock(body: TransferBody, caller: Caller) -> Answer[TransferView]:
    """Move pieces from one warehouse to another: all lines, or none.

    `sku` and `quantity`, or `items`. Only available pieces can be moved: 409
    `transfer-exceeds-available` names every short line, and the transfer (its id is
    in `transfer_id`) stays as `REFUSED`. While it is under way it is `IN_TRANSIT`.
    Each line leaves two movements, out and in.
    """
    command_id = caller.command_id()
    end = await ask(
        TransferStock(
            transfer_id=derived_id(command_id, "transfer"),
            from_warehouse_id=body.from_warehouse_id,
            to_warehouse_id=body.to_warehouse_id,
            lines=body.lines(),
            reason=body.reason,
            actor_id=caller.person,
        ),
        id=command_id,
        timeout_seconds=TRANSFER_SECONDS_MAX,
    )
    if end.refusal is not None:
        data = end.refusal
        facts = {**data.facts, "transfer_id": str(end.transfer_id)}
        raise Refusal(data.kind, data.code, data.detail, data.errors, **facts)
    transfer = await ask(GetTransfer(transfer_id=end.transfer_id))
    return created(transfer, f"/inventory/transfers/{transfer.id}")


@router.get("/inventory/transfers/{transfer_id}", access=ADMIN)
async def get_transfer(transfer_id: UUID) -> TransferView:
    """Show a transfer: `IN_TRANSIT`, `COMPLETED`, or `REFUSED` with the reason."""
    return await ask(GetTransfer(transfer_id=transfer_id))
