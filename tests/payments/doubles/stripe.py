"""A double of Stripe's API that replays by idempotency key, as Stripe's documents say.

https://docs.stripe.com/api/idempotent_requests: the same key gets the same status and
body, errors included; other parameters under it are a 400 `idempotency_error`; what is
under way is a 409; nothing is kept of a request that failed validation.
"""

import time
from typing import Any
from uuid import uuid4

from aiohttp import web

from tests.payments.doubles.weather import Weather, answer

SECRET_KEY = "sk_test_of_the_double"
CARDS = {
    "pm_visa": ("succeeded", None),
    "pm_declined": ("requires_payment_method", "generic_decline"),
    "pm_poor": ("requires_payment_method", "insufficient_funds"),
    "pm_asks": ("requires_action", None),
    "pm_slow": ("processing", None),
}


class Stripe(Weather):
    """PaymentIntents, refunds, payment methods and lists."""

    def __init__(self) -> None:
        super().__init__()
        self.intents: dict[str, dict[str, Any]] = {}
        self.refunds: dict[str, dict[str, Any]] = {}
        self.methods: dict[str, dict[str, Any]] = {
            "pm_visa": {
                "id": "pm_visa",
                "object": "payment_method",
                "type": "card",
                "customer": None,
                "card": {
                    "brand": "visa",
                    "last4": "4242",
                    "exp_month": 12,
                    "exp_year": 2030,
                },
            }
        }
        self.customers: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, tuple[str, web.Response | None]] = {}
        self.refund_status = "succeeded"
        self.clock = time.time

    def routes(self) -> list[web.RouteDef]:
        """The part of the API that the shop uses."""
        intents, refunds = "/v1/payment_intents", "/v1/refunds"
        return [
            self._post(intents, self.create),
            self._post(intents + "/{id}/capture", self.capture),
            self._post(intents + "/{id}/cancel", self.cancel),
            self._post(refunds, self.refund),
            self._post("/v1/customers", self.customer),
            self._post("/v1/payment_methods/{id}/attach", self.attach),
            self._post("/v1/payment_methods/{id}/detach", self.detach),
            web.get(intents, self.list_of(self.intents)),
            web.get(intents + "/{id}", self.one_of(self.intents)),
            web.get(refunds, self.list_of(self.refunds)),
            web.get(refunds + "/{id}", self.one_of(self.refunds)),
            web.get("/v1/customers/{id}", self.one_of(self.customers)),
            web.get("/v1/payment_methods/{id}", self.one_of(self.methods)),
            web.get("/v1/balance_transactions", self.balance),
        ]

    def forget_keys(self) -> None:
        """What Stripe does after a day."""
        self.keys.clear()

    async def create(self, form: dict[str, str], _: str) -> web.Response:
        """Create and confirm a PaymentIntent."""
        token = form.get("payment_method") or form.get(
            "payment_method_data[card][token]", ""
        )
        if token not in CARDS and not token.startswith("tok_"):
            return problem(404, "resource_missing", param="payment_method")
        status, decline = CARDS.get(token, ("succeeded", None))
        if status == "succeeded" and form["capture_method"] == "manual":
            status = "requires_capture"
        intent: dict[str, Any] = {
            "id": f"pi_{uuid4().hex}",
            "object": "payment_intent",
            "amount": int(form["amount"]),
            "currency": form["currency"],
            "status": status,
            "created": int(self.clock()),
            "amount_received": int(form["amount"]) if status == "succeeded" else 0,
            "metadata": _metadata(form),
            "last_payment_error": None,
            "latest_charge": None if status == "requires_action" else "ch_1",
            "form": form,
        }
        self.intents[intent["id"]] = intent
        if decline is None:
            return answer(intent)
        error = {"code": "card_declined", "decline_code": decline}
        intent["last_payment_error"] = error
        body = {**error, "type": "card_error", "payment_intent": intent}
        return answer({"error": body}, 402)

    async def capture(self, form: dict[str, str], intent_id: str) -> web.Response:
        """Take what is held."""
        intent = self.intents[intent_id]
        if intent["status"] != "requires_capture":
            return problem(400, "payment_intent_unexpected_state")
        amount = int(form["amount_to_capture"])
        if amount > intent["amount"]:
            return problem(400, "amount_too_large")
        intent.update(status="succeeded", amount_received=amount)
        return answer(intent)

    async def cancel(self, _: dict[str, str], intent_id: str) -> web.Response:
        """Let go what is held, or is waiting."""
        intent = self.intents[intent_id]
        if intent["status"] in ("succeeded", "canceled", "processing"):
            return problem(400, "payment_intent_unexpected_state")
        intent["status"] = "canceled"
        return answer(intent)

    async def refund(self, form: dict[str, str], _: str) -> web.Response:
        """Give back, as far as something is left."""
        intent = self.intents[form["payment_intent"]]
        given = sum(
            r["amount"]
            for r in self.refunds.values()
            if r["payment_intent"] == intent["id"] and r["status"] != "failed"
        )
        amount = int(form["amount"])
        if given + amount > intent["amount_received"]:
            return problem(400, "charge_already_refunded")
        refund = {
            "id": f"re_{uuid4().hex}",
            "object": "refund",
            "status": self.refund_status,
            "amount": amount,
            "currency": intent["currency"],
            "payment_intent": intent["id"],
            "created": int(self.clock()),
            "metadata": _metadata(form),
        }
        self.refunds[str(refund["id"])] = refund
        return answer(refund)

    async def customer(self, form: dict[str, str], _: str) -> web.Response:
        """A new customer."""
        made = {"id": f"cus_{uuid4().hex}", "object": "customer"}
        self.customers[made["id"]] = {**made, "metadata": _metadata(form)}
        return answer(self.customers[made["id"]])

    async def attach(self, form: dict[str, str], method_id: str) -> web.Response:
        """Attach a payment method."""
        method = self.methods[method_id]
        method["customer"] = form["customer"]
        return answer(method)

    async def detach(self, _: dict[str, str], method_id: str) -> web.Response:
        """Detach a payment method, for good."""
        method = self.methods.get(method_id)
        if method is None:
            return problem(404, "resource_missing")
        if method["customer"] is None:
            return problem(400, "payment_method_unexpected_state")
        method["customer"] = None
        return answer(method)

    async def balance(self, request: web.Request) -> web.Response:
        """Money that has moved, its charge or refund expanded."""
        rows = [
            _moved(
                "charge",
                {
                    **intent,
                    "id": "ch" + intent["id"],
                    "payment_intent": intent["id"],
                    "amount_captured": intent["amount_received"],
                },
            )
            for intent in self.intents.values()
            if intent["amount_received"]
        ]
        rows += [_moved("refund", refund) for refund in self.refunds.values()]
        rows.append({"id": "txn_fee", "type": "stripe_fee", "source": None})
        rows = [{"created": int(self.clock()), **row} for row in rows]
        return _page(request, rows)

    def one_of(self, things: dict[str, Any]) -> Any:
        """What shows one thing by its id."""

        async def one(request: web.Request) -> web.Response:
            found = things.get(request.match_info["id"])
            return answer(found) if found else problem(404, "resource_missing")

        return one

    def list_of(self, things: dict[str, Any]) -> Any:
        """What lists things, the newest first."""

        async def listed(request: web.Request) -> web.Response:
            since = int(request.query.get("created[gte]", 0))
            intent = request.query.get("payment_intent")
            found = [
                thing
                for thing in reversed(things.values())
                if thing["created"] >= since
                and intent in (None, thing.get("payment_intent"))
            ]
            return _page(request, found)

        return listed

    def _post(self, path: str, handler: Any) -> web.RouteDef:
        async def post(request: web.Request) -> web.Response:
            if request.headers["Authorization"] != f"Bearer {SECRET_KEY}":
                return answer({"error": {"type": "invalid_request_error"}}, 401)
            form = {name: str(value) for name, value in (await request.post()).items()}
            key = request.headers["Idempotency-Key"]
            said = f"{request.path} {sorted(form.items())}"
            before, kept = self.keys.get(key, (said, None))
            if before != said:
                return answer({"error": {"type": "idempotency_error"}}, 400)
            if kept is not None:
                return answer_again(kept)
            if key in self.keys:
                return problem(409, "idempotency_key_in_use")
            self.keys[key] = (said, None)
            response = await handler(form, request.match_info.get("id", ""))
            self.keys[key] = (said, response)
            if response.status in (400, 404):
                del self.keys[key]
            return answer_again(response)

        return web.post(path, post)


def answer_again(response: web.Response) -> web.Response:
    """The same answer, for it can be sent only once."""
    return web.Response(
        body=response.body, status=response.status, content_type="application/json"
    )


def problem(status: int, code: str, **fields: str) -> web.Response:
    """A refusal."""
    error = {"type": "invalid_request_error", "code": code, **fields}
    return answer({"error": error}, status)


def _metadata(form: dict[str, str]) -> dict[str, str]:
    return {
        name[9:-1]: value for name, value in form.items() if name.startswith("metadata")
    }


def _moved(kind: str, source: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"txn_{source['id']}",
        "type": kind,
        "source": {**source, "object": kind},
    }


def _page(request: web.Request, rows: list[dict[str, Any]]) -> web.Response:
    """A page of two, so that reading on is seen."""
    after = request.query.get("starting_after")
    ids = [row["id"] for row in rows]
    start = ids.index(after) + 1 if after else 0
    return answer(
        {
            "object": "list",
            "data": rows[start : start + 2],
            "has_more": len(rows) > start + 2,
            "url": request.path,
        }
    )
