"""Carts, orders, payments, stock and notifications."""

from tests.edge.contract.route import Route
from tests.edge.front import CARD, HOUSE

ITEM = {"sku": "{sku}", "quantity": 1}
ORDER = {
    "items": [ITEM],
    "payment": CARD,
    "shipping_address": HOUSE,
    "email": "gus@example.com",
}
LOOKUP = {"number": "100-000-001", "email": "gus@example.com"}
COUNT = {"delta": 1, "reason": "found"}
REFUND = {"amount": {"amount": 1, "currency": "USD"}, "reason": "a scratch"}
BANK = {"provider": "sandbox"}
WAREHOUSE = {"code": "{code}", "name": "East"}
TRANSFER = {
    "from_warehouse_id": "{main_id}",
    "to_warehouse_id": "{warehouse_id}",
    "sku": "{sku}",
    "quantity": 1,
}
CHOICE = {"types": {"PROMOTION": {"in_app": False}}}

ROUTES = (
    Route("GET /cart", "200 200 200 200 200 200 200"),
    Route("POST /cart/items", "200 200 200 200 200 200 200", ITEM),
    Route("PUT /cart/items/{sku}", "200 200 200 200 200 200 200", {"quantity": 1}),
    Route("DELETE /cart/items/{sku}", "204 204 204 204 204 204 204"),
    Route("DELETE /cart", "204 204 204 204 204 204 204"),
    Route("POST /cart/merge", "401 401 200 200 200 200 200", {"cart_token": "{cart}"}),
    Route("POST /orders", "201 201 201 201 201 201 201", ORDER),
    Route("POST /orders/lookup", "202 202 202 202 202 202 202", LOOKUP),
    # To whom it is paid for already it says so: 409 `not-payable`.
    Route(
        "POST /orders/{order_id}/payment",
        "404 409 409 404 403 404 403",
        {"payment": CARD},
    ),
    Route("GET /orders", "401 401 200 200 200 200 200"),
    Route("GET /orders/{order_id}", "404 200 200 404 200 404 200"),
    Route("GET /orders/{order_id}/timeline", "404 200 200 404 200 404 200"),
    Route("PUT /orders/{order_id}/cancel", "404 200 200 404 404 404 200"),
    Route(
        "PUT /orders/{order_id}/status",
        "401 401 403 403 200 404 200",
        {"status": "PROCESSING"},
    ),
    Route("GET /sellers/dashboard?seller={seller_id}", "401 401 403 403 200 403 200"),
    Route("GET /sellers/shipments?seller={seller_id}", "401 401 403 403 200 403 200"),
    Route(
        "POST /shipments/deliveries",
        "401 401 403 403 403 403 200",
        {"sellers_max": 1},
    ),
    Route("GET /payments/methods", "401 401 200 200 200 200 200"),
    Route("POST /payments/methods", "401 401 201 201 201 201 201", CARD),
    Route("GET /payments/methods/{method_id}", "401 401 200 404 404 404 404"),
    Route(
        "PUT /payments/methods/{method_id}/default",
        "401 401 200 404 404 404 404",
    ),
    Route("DELETE /payments/methods/{method_id}", "401 401 204 404 404 404 404"),
    Route("GET /payments?order_id={order_id}", "404 200 200 404 404 404 200"),
    Route("GET /payments/{payment_id}", "404 200 200 404 404 404 200"),
    Route("POST /payments/{payment_id}/refunds", "401 401 403 403 403 403 201", REFUND),
    Route("GET /payments/reconciliations", "401 401 403 403 403 403 200"),
    Route("POST /payments/reconciliations", "401 401 403 403 403 403 201", BANK),
    # Signed by nobody; what a signature opens is in test_payments.
    Route("POST /payments/webhooks/{provider}", "403 403 403 403 403 403 403"),
    Route("GET /inventory/{sku}", "200 200 200 200 200 200 200"),
    Route("PUT /inventory/{sku}", "401 401 403 403 200 403 200", COUNT),
    Route("GET /inventory/{sku}/movements", "401 401 403 403 200 403 200"),
    Route(
        "PUT /inventory/{sku}/threshold",
        "401 401 403 403 200 403 200",
        {"threshold": 1},
    ),
    Route("GET /inventory/low-stock", "401 401 403 403 200 200 200"),
    Route("GET /warehouses", "401 401 403 403 403 403 200"),
    Route("POST /warehouses", "401 401 403 403 403 403 201", WAREHOUSE),
    Route("GET /warehouses/{warehouse_id}", "401 401 403 403 403 403 200"),
    Route(
        "PUT /warehouses/{warehouse_id}",
        "401 401 403 403 403 403 200",
        {**WAREHOUSE, "priority": 90},
    ),
    Route("DELETE /warehouses/{warehouse_id}", "401 401 403 403 403 403 204"),
    Route("POST /inventory/transfers", "401 401 403 403 403 403 201", TRANSFER),
    Route(
        "GET /inventory/transfers/{transfer_id}",
        "401 401 403 403 403 403 200",
    ),
    Route("GET /notifications", "401 401 200 200 200 200 200"),
    Route("PUT /notifications/{notification_id}/read", "401 401 200 404 404 404 404"),
    Route("PUT /notifications/read-all", "401 401 200 200 200 200 200"),
    Route("GET /notifications/preferences", "401 401 200 200 200 200 200"),
    Route("PUT /notifications/preferences", "401 401 200 200 200 200 200", CHOICE),
)

# Answered for as long as they are followed; here they are left at their head.
STREAMS = (
    Route("GET /orders/{order_id}/stream", "404 200 200 404 200 404 200"),
    Route("GET /notifications/stream", "401 401 200 200 200 200 200"),
)
