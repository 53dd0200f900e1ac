"""Routes of sellers: what they have in progress, and their shipments."""

from typing import Annotated
from uuid import UUID

from fastapi import Query

from bus.kit.refusals import forbidden, invalid
from bus.kit.values import LIMIT_DEFAULT, Page
from bus.orders import (
    DASHBOARD_LINES_MAX,
    Dashboard,
    Deliveries,
    DeliverOldest,
    GetDashboard,
    ListShipments,
    SellerShipment,
    ShipmentStatus,
)
from serve_app.kit.routing import ADMIN, SELLER, Caller, Pages, ask
from serve_app.orders.bodies import DeliveriesBody
from serve_app.orders.orders import ORDER_SECONDS_MAX
from serve_app.orders.router import router

Seller = Annotated[
    UUID | None,
    Query(description="Whose: an administrator says it, a seller need not."),
]


@router.get("/sellers/dashboard", access=SELLER)
async def get_dashboard(
    caller: Caller,
    seller: Seller = None,
    limit: Annotated[int, Query(ge=1, le=DASHBOARD_LINES_MAX)] = LIMIT_DEFAULT,
) -> Dashboard:
    """Show a seller's order lines in progress: what they come to, and the newest.

    In progress is a line that is not delivered or cancelled, of an order that is not
    paid back whole. `totals` count all orders, lines (`items`) and their money,
    `items` are the newest lines; both are of one moment, `as_of`, so the sums agree
    wherever `more` is false. A seller sees own lines, an administrator those of
    `seller` (422 `seller-required` without).
    """
    return await ask(GetDashboard(seller_id=_seller(caller, seller), limit=limit))


@router.get("/sellers/shipments", access=SELLER)
async def list_shipments(
    caller: Caller,
    pages: Pages,
    seller: Seller = None,
    status: Annotated[ShipmentStatus | None, Query()] = None,
) -> Page[SellerShipment]:
    """List a seller's shipments, oldest first.

    `DELIVERED` is one of which all pieces have arrived; before it is `SHIPPED`. An
    administrator names the `seller` (422 `seller-required` without).
    """
    return await ask(
        ListShipments(
            seller_id=_seller(caller, seller),
            status=status,
            limit=pages.limit,
            cursor=pages.cursor,
        )
    )


@router.post("/shipments/deliveries", access=ADMIN, idempotent=True)
async def deliver_oldest(body: DeliveriesBody, caller: Caller) -> Deliveries:
    """Mark the oldest shipment under way of up to `sellers_max` sellers delivered.

    One a seller; those sellers come first whose shipment has waited longest. `items`
    are those that this request has marked, the oldest first: what another request
    took in between is left out, and no shipment is delivered twice. What has no
    seller, the shop's own, is not touched.
    """
    request_id = caller.command_id()
    command = DeliverOldest(
        request_id=request_id, sellers_max=body.sellers_max, actor_id=caller.person
    )
    return await ask(command, id=request_id, timeout_seconds=ORDER_SECONDS_MAX)


# --- private -----------------------------------------------------------------


def _seller(caller: Caller, named: UUID | None) -> UUID:
    """Whose orders are meant; sellers see no one else's."""
    if caller.role == "ADMIN":
        if named is None:
            raise invalid("seller-required", "Say whose: seller.")
        return named
    if named not in (None, caller.user_id):
        raise forbidden("Sellers see their own orders.")
    return caller.person
