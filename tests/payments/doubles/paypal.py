"""A double of PayPal's API that replays by `PayPal-Request-Id`, as its documents say.

https://developer.paypal.com/reference/guidelines/idempotency: the same id gets the
latest status of the first request. Orders v2, Payments v2, Vault v3, Transaction
Search and the webhooks' postback, as far as the shop uses them.
"""

import base64
import hashlib
import hmac
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
from aiohttp import web

from tests.payments.doubles.weather import Weather, answer

CLIENT_ID, CLIENT_SECRET, WEBHOOK_ID = "client", "a-client-secret", "WH-1"
MERCHANT = "SHOPMERCHANT1"
VAULT = {"vault-good": "COMPLETED", "vault-poor": "DECLINED", "vault-slow": "PENDING"}
SIGNING = b"only PayPal knows this"


class PayPal(Weather):
    """Orders, payments, the vault and what proves a webhook."""

    def __init__(self) -> None:
        super().__init__()
        self.orders: dict[str, dict[str, Any]] = {}
        self.parts: dict[str, dict[str, Any]] = {}
        self.refunds: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, tuple[str, str]] = {}
        self.tokens = 0
        self.owner = ""
        self.dropped: set[str] = set()
        self.refund_status = "COMPLETED"
        self.list_lag = timedelta(0)

    def routes(self) -> list[web.RouteDef]:
        """The part of the API that the shop uses."""
        orders, payments = "/v2/checkout/orders", "/v2/payments"
        held = payments + "/authorizations/{id}"
        return [
            web.post("/v1/oauth2/token", self.token),
            self._post(orders, self.create),
            web.get(orders + "/{id}", self._open(self.order)),
            web.patch(orders + "/{id}", self._open(self.patch)),
            self._post(orders + "/{id}/capture", self.take),
            self._post(orders + "/{id}/authorize", self.take),
            self._post(held + "/capture", self.capture),
            self._post(held + "/void", self.void),
            web.get(held, self._open(self.part)),
            web.get(payments + "/captures/{id}", self._open(self.part)),
            self._post(payments + "/captures/{id}/refund", self.refund),
            web.get("/v3/vault/payment-tokens/{id}", self._open(self.kept)),
            web.delete("/v3/vault/payment-tokens/{id}", self._open(self.drop)),
            web.get("/v1/reporting/transactions", self._open(self.listed)),
            web.post(
                "/v1/notifications/verify-webhook-signature", self._open(self.verify)
            ),
        ]

    # --- what a buyer, a day, or PayPal does -----------------------------------

    def approve(self, value: str, intent: str = "CAPTURE", **unit: Any) -> str:
        """An order that its buyer has approved; its id is the token."""
        order_id = uuid4().hex[:17].upper()
        self.orders[order_id] = {
            "id": order_id,
            "status": "APPROVED",
            "intent": intent,
            "purchase_units": [
                {
                    "reference_id": "default",
                    "amount": {"currency_code": "USD", "value": value},
                    "payee": {"merchant_id": MERCHANT},
                    **unit,
                }
            ],
        }
        return order_id

    def forget_keys(self) -> None:
        """What PayPal does after six hours."""
        self.keys.clear()

    def withdraw(self) -> None:
        """No access token of before is good any more."""
        self.tokens += 1

    def sign(self, body: bytes, webhook_id: str = WEBHOOK_ID) -> dict[str, str]:
        """The headers of a webhook that PayPal sends."""
        at, sent = "2026-01-01T00:00:00Z", str(uuid4())
        return {
            "paypal-transmission-id": sent,
            "paypal-transmission-time": at,
            "paypal-transmission-sig": _signature(sent, at, webhook_id, body),
            "paypal-cert-url": "https://api.paypal.com/v1/notifications/certs/CERT-1",
            "paypal-auth-algo": "SHA256withRSA",
        }

    # --- what the API does -----------------------------------------------------

    async def token(self, request: web.Request) -> web.Response:
        """An access token for the client's id and secret."""
        basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if request.headers["Authorization"] != f"Basic {basic}":
            return answer({"error": "invalid_client"}, 401)
        self.tokens += 1
        return answer({"access_token": f"A{self.tokens}", "expires_in": 32_400})

    async def create(self, request: web.Request, body: Any) -> tuple[int, Any]:
        """An order that is paid at once from the vault."""
        (unit,) = body["purchase_units"]
        vault_id = body["payment_source"]["paypal"]["vault_id"]
        if vault_id not in VAULT:
            return issue("RESOURCE_NOT_FOUND")
        if VAULT[vault_id] == "DECLINED":
            return issue("INSTRUMENT_DECLINED")
        if self._invoiced(unit["invoice_id"]):
            return issue("DUPLICATE_INVOICE_ID")
        value = unit["amount"]["value"]
        marks = {name: unit[name] for name in ("custom_id", "invoice_id")}
        order_id = self.approve(value, body["intent"], amount=unit["amount"], **marks)
        self._pay(self.orders[order_id], VAULT[vault_id])
        return 201, self.orders[order_id]

    async def order(self, request: web.Request) -> web.Response:
        """An order as it stands."""
        found = self.orders.get(request.match_info["id"])
        return answer(found) if found else _refused("RESOURCE_NOT_FOUND", 404)

    async def patch(self, request: web.Request) -> web.Response:
        """Write marks on an order that is not paid."""
        order = self.orders[request.match_info["id"]]
        if order["status"] != "APPROVED":
            return _refused("ORDER_ALREADY_COMPLETED")
        for change in await request.json():
            prefix = "/purchase_units/@reference_id=='default'/"
            assert change["path"].startswith(prefix), change
            order["purchase_units"][0][change["path"][len(prefix) :]] = change["value"]
        return web.Response(status=204)

    async def take(self, request: web.Request, _: Any) -> tuple[int, Any]:
        """Capture or authorise an approved order."""
        order = self.orders[request.match_info["id"]]
        if order["status"] == "COMPLETED":
            return issue("ORDER_ALREADY_CAPTURED")
        if order.get("poor"):
            return issue("INSTRUMENT_DECLINED")
        self._pay(order, "COMPLETED")
        return 201, order

    async def capture(self, request: web.Request, body: Any) -> tuple[int, Any]:
        """Take what is held."""
        held = self.parts[request.match_info["id"]]
        if held["status"] != "CREATED":
            state = "ALREADY_CAPTURED" if "CAPT" in held["status"] else "VOIDED"
            return issue(f"AUTHORIZATION_{state}")
        order = self.orders[held["supplementary_data"]["related_ids"]["order_id"]]
        held["status"] = "CAPTURED"
        return 201, self._part(order, "captures", "COMPLETED", body["amount"])

    async def void(self, request: web.Request, _: Any) -> tuple[int, Any]:
        """Let go what is held."""
        held = self.parts[request.match_info["id"]]
        if held["status"] != "CREATED":
            was = "CAPTURED" if "CAPT" in held["status"] else "VOIDED"
            return issue(f"PREVIOUSLY_{was}")
        held["status"] = "VOIDED"
        return 200, held

    async def part(self, request: web.Request) -> web.Response:
        """A capture or an authorisation as it stands."""
        found = self.parts.get(request.match_info["id"])
        kind = request.path.split("/")[3]
        if found is None or found["kind"] != kind:
            return _refused("RESOURCE_NOT_FOUND", 404)
        return answer(found)

    async def refund(self, request: web.Request, body: Any) -> tuple[int, Any]:
        """Give back, as far as something is left."""
        taken = self.parts[request.match_info["id"]]
        given = sum(
            _cents(refund["amount"])
            for refund in self.refunds.values()
            if refund["capture"] == taken["id"]
        )
        if given + _cents(body["amount"]) > _cents(taken["amount"]):
            return issue("REFUND_AMOUNT_EXCEEDED")
        refund = {
            "id": uuid4().hex[:17].upper(),
            "status": self.refund_status,
            "capture": taken["id"],
            "at": datetime.now(UTC).isoformat(),
            **body,
        }
        self.refunds[refund["id"]] = refund
        order = self.orders[taken["supplementary_data"]["related_ids"]["order_id"]]
        payments = order["purchase_units"][0]["payments"]
        payments.setdefault("refunds", []).append(refund)
        return 201, refund

    async def kept(self, request: web.Request) -> web.Response:
        """A payment token of the vault."""
        if request.match_info["id"] not in VAULT.keys() - self.dropped:
            return _refused("RESOURCE_NOT_FOUND", 404)
        person = {"email_address": "somebody@example.com"}
        return answer(
            {
                "id": request.match_info["id"],
                "payment_source": {"paypal": person},
                "customer": {"id": "C1", "merchant_customer_id": self.owner},
            }
        )

    async def drop(self, request: web.Request) -> web.Response:
        """Take a payment token out of the vault."""
        name = request.match_info["id"]
        if name not in VAULT.keys() - self.dropped:
            return _refused("RESOURCE_NOT_FOUND", 404)
        self.dropped.add(name)
        return web.Response(status=204)

    async def listed(self, request: web.Request) -> web.Response:
        """Captures and refunds, one a page; the newest are not there yet."""
        refreshed = datetime.now(UTC) - self.list_lag
        since, until = (
            datetime.fromisoformat(request.query[name])
            for name in ("start_date", "end_date")
        )
        rows = [
            {"code": "T0006", "sign": "", **part}
            for part in self.parts.values()
            if part["kind"] == "captures"
        ] + [{"code": "T1107", "sign": "-", **r} for r in self.refunds.values()]
        rows = [
            row
            for row in rows
            if since <= datetime.fromisoformat(row["at"]) <= min(until, refreshed)
        ]
        page = int(request.query["page"])
        return answer(
            {
                "transaction_details": [_line(row) for row in rows[page - 1 : page]],
                "total_pages": len(rows),
                "last_refreshed_datetime": refreshed.isoformat(),
            }
        )

    async def verify(self, request: web.Request) -> web.Response:
        """Whether PayPal has sent a webhook."""
        asked = msgspec.json.decode(await request.read(), type=dict[str, msgspec.Raw])
        event = bytes(asked.pop("webhook_event"))
        said = {name: msgspec.json.decode(raw) for name, raw in asked.items()}
        good = _signature(
            said["transmission_id"],
            said["transmission_time"],
            said["webhook_id"],
            event,
        )
        same = hmac.compare_digest(good, said["transmission_sig"])
        return answer({"verification_status": "SUCCESS" if same else "FAILURE"})

    def _pay(self, order: dict[str, Any], status: str) -> None:
        unit = order["purchase_units"][0]
        if order["intent"] == "CAPTURE":
            self._part(order, "captures", status, unit["amount"])
        else:
            held = "CREATED" if status == "COMPLETED" else status
            self._part(order, "authorizations", held, unit["amount"])
        order["status"] = "COMPLETED"

    def _part(
        self, order: dict[str, Any], kind: str, status: str, amount: Any
    ) -> dict[str, Any]:
        unit = order["purchase_units"][0]
        part: dict[str, Any] = {
            "id": uuid4().hex[:17].upper(),
            "kind": kind,
            "status": status,
            "amount": amount,
            "custom_id": unit.get("custom_id"),
            "invoice_id": unit.get("invoice_id"),
            "payee": unit["payee"],
            "at": datetime.now(UTC).isoformat(),
            "supplementary_data": {"related_ids": {"order_id": order["id"]}},
        }
        self.parts[part["id"]] = part
        unit.setdefault("payments", {}).setdefault(kind, []).append(part)
        return part

    def _invoiced(self, invoice_id: str) -> bool:
        return any(part["invoice_id"] == invoice_id for part in self.parts.values())

    def _open(self, handler: Any) -> Any:
        """Let in whom PayPal has given the newest access token."""

        async def opened(request: web.Request) -> web.Response:
            if request.headers["Authorization"] != f"Bearer A{self.tokens}":
                return answer({"error": "invalid_token"}, 401)
            response: web.Response = await handler(request)
            return response

        return opened

    def _post(self, path: str, handler: Any) -> web.RouteDef:
        async def post(request: web.Request) -> web.Response:
            body = await request.json() if request.body_exists else None
            key, said = request.headers["PayPal-Request-Id"], f"{request.path} {body}"
            before, done = self.keys.get(key, (said, ""))
            if before != said:
                return _refused("DUPLICATE_REQUEST_ID")
            if done:
                return answer(self._latest(done))
            status, result = await handler(request, body)
            if status < 400:
                self.keys[key] = (said, result["id"])
            return answer(result, status)

        return web.post(path, self._open(post))

    def _latest(self, done: str) -> Any:
        return self.orders.get(done) or self.parts.get(done) or self.refunds[done]


def issue(code: str) -> tuple[int, Any]:
    """A refusal."""
    name = "UNPROCESSABLE_ENTITY"
    return 422, {"name": name, "details": [{"issue": code, "description": ""}]}


def _refused(code: str, status: int = 422) -> web.Response:
    return answer(issue(code)[1], status)


def _cents(amount: dict[str, str]) -> int:
    return round(float(amount["value"]) * 100)


def _line(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "transaction_info": {
            "transaction_id": row["id"],
            "transaction_event_code": row["code"],
            "transaction_initiation_date": row["at"],
            "transaction_amount": {
                "currency_code": row["amount"]["currency_code"],
                "value": row["sign"] + row["amount"]["value"],
            },
            "transaction_status": "S",
            "invoice_id": row["invoice_id"],
        }
    }


def _signature(sent: str, at: str, webhook_id: str, event: bytes) -> str:
    text = f"{sent}|{at}|{webhook_id}|{zlib.crc32(event)}".encode()
    return hmac.new(SIGNING, text, hashlib.sha256).hexdigest()
