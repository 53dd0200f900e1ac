"""PayPal's orders: approved by a buyer, or paid at once from PayPal's vault."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from actors.payments.lines import NoAnswer
from actors.payments.paypal.amounts import to_paypal
from actors.payments.paypal.answers import (
    Order,
    Part,
    authorized,
    captured,
    kebab,
    mark_of,
    refunded,
)
from actors.payments.paypal.asking import Asker, Refused
from actors.payments.paypal.books import Books
from actors.payments.provider import KEPT_MARK, ChargeAsk, RefundAsk
from bus.payments import AttemptStatus, Outcome, RefundOutcome

KEY_SECONDS_MAX = 5 * 3600
"""PayPal forgets an order's key after 6 hours; its lists lag 3 hours behind."""

SKEW = timedelta(minutes=5)
NOT_SUPPORTED = "amount-not-supported"
VAULT = f"vault{KEPT_MARK}"
"""Before the vault's id of a kept token."""

UNKNOWN = Outcome(status=AttemptStatus.UNKNOWN)

_ORDER_ID = re.compile(r"[A-Z0-9]{17}")
_KEPT = re.compile(rf"{VAULT}([A-Za-z0-9_-]{{1,128}})")
_REFERENCE = re.compile(r"[A-Z0-9]{1,36}")
_NOT_APPROVED = frozenset({"CREATED", "SAVED", "PAYER_ACTION_REQUIRED"})
_NOT_PAID = _NOT_APPROVED | {"APPROVED"}
_DONE = frozenset(
    {
        "ORDER_ALREADY_CAPTURED",
        "ORDER_ALREADY_AUTHORIZED",
        "ORDER_ALREADY_COMPLETED",
        "ORDER_COMPLETED_OR_VOIDED",
    }
)
"""Somebody, maybe we ourselves, was there before: how it stands has to be read."""

_TWICE = "DUPLICATE_INVOICE_ID"


def is_order_id(token: str) -> bool:
    """Whether a token is PayPal's id of an order, which its buyer has approved."""
    return _ORDER_ID.fullmatch(token) is not None


class Orders:
    """Takes or holds the money of an order, once."""

    def __init__(
        self,
        asker: Asker,
        books: Books,
        merchant_id: str,
        log: Any,
        now: Callable[[], float],
    ) -> None:
        self._asker = asker
        self._books = books
        self._merchant_id = merchant_id
        self._log = log
        self._now = now

    async def pay(self, ask: ChargeAsk) -> Outcome:
        """Take, or hold, the money; raises NoAnswer when it is not known."""
        if is_order_id(ask.token):
            return await self._approved(ask)
        if self.forgotten(ask):
            found = await self._listed(ask)
            if found is not None:
                return found
        return await self._from_vault(ask)

    async def find(self, ask: ChargeAsk) -> Outcome | None:
        """How an attempt stands; None when PayPal never heard of it."""
        if is_order_id(ask.token):
            order = await self._asker.get(_path(ask.token), Order)
            if isinstance(order, Refused) or order.status in _NOT_PAID:
                return None
            return self._of_order(ask, order)
        if ask.reference:
            return await self.part(ask.reference)
        if self.forgotten(ask):
            return await self._listed(ask)
        if not ask.wanted:
            raise NoAnswer("not in PayPal's list before its key is forgotten")
        return await self._from_vault(ask)

    async def part(self, reference: str) -> Outcome:
        """How a capture stands, or an authorisation and what was captured of it."""
        if not _REFERENCE.fullmatch(reference):
            raise NoAnswer("no id of PayPal's")
        part = await self._asker.get(f"/v2/payments/captures/{reference}", Part)
        if not isinstance(part, Refused):
            return captured(part)
        part = await self._asker.get(f"/v2/payments/authorizations/{reference}", Part)
        if isinstance(part, Refused):
            raise NoAnswer("PayPal knows no such payment")
        if "CAPTURED" not in part.status:
            return authorized(part)
        order = await self._of_part(part)
        if order.capture is None:
            raise NoAnswer("captured, but not to be seen")
        return captured(order.capture)

    async def refund(self, ask: RefundAsk) -> RefundOutcome | None:
        """How a refund stands: its order lists it; None when it was never made."""
        capture = await self._asker.get(f"/v2/payments/captures/{ask.reference}", Part)
        if isinstance(capture, Refused):
            raise NoAnswer("PayPal knows no such capture")
        order = await self._of_part(capture)
        for part in order.refunds:
            if part.invoice_id == str(ask.key):
                return refunded(part)
        return None

    async def _of_part(self, part: Part) -> Order:
        if part.order_id is None:
            raise NoAnswer("a payment of no order")
        order = await self._asker.get(_path(part.order_id), Order)
        if isinstance(order, Refused):
            raise NoAnswer("a payment of an order that is not to be seen")
        return order

    async def _approved(self, ask: ChargeAsk) -> Outcome:
        """Pay an order that its buyer has approved, after a look at what it says."""
        order = await self._asker.get(_path(ask.token), Order)
        if isinstance(order, Refused):
            return declined("invalid-token")
        if order.status in _NOT_APPROVED:
            return declined("not-approved")
        if order.status != "APPROVED":
            return self._of_order(ask, order)
        code = self._unfit(ask, order)
        if code is not None:
            self._log.error("provider-order-unfit", key=str(ask.key), code=code)
            return declined(code)
        if order.custom_id != _mark(ask):
            refused = await self._mark_it(ask, order)
            if refused is not None:
                return await self._read_anew(ask, refused)
        done = await self._asker.post(
            f"{_path(order.id)}/{'capture' if ask.capture else 'authorize'}",
            Order,
            ask.key,
        )
        if isinstance(done, Refused):
            return await self._read_anew(ask, done)
        return self._of_order(ask, done)

    async def _mark_it(self, ask: ChargeAsk, order: Order) -> Refused | None:
        """Write on the order whose it is, so that no other attempt can claim it."""
        unit = (
            f"/purchase_units/@reference_id=='{order.purchase_units[0].reference_id}'"
        )
        marks = {"custom_id": _mark(ask), "invoice_id": str(ask.key)}
        return await self._asker.do(
            "PATCH",
            _path(order.id),
            None,
            [
                {"op": "add", "path": f"{unit}/{name}", "value": value}
                for name, value in marks.items()
            ],
        )

    async def _read_anew(self, ask: ChargeAsk, refused: Refused) -> Outcome:
        """How an order stands that would not be paid (again)."""
        if refused.issue in _DONE:
            order = await self._asker.get(_path(ask.token), Order)
            if not isinstance(order, Refused):
                return self._of_order(ask, order)
        if refused.issue == _TWICE:
            raise NoAnswer(refused.issue)
        return declined(kebab(refused.issue) or "payment-declined")

    async def _from_vault(self, ask: ChargeAsk) -> Outcome:
        """Make an order that is paid at once; the same key makes the same one."""
        kept = _KEPT.fullmatch(ask.token)
        if kept is None:
            return declined("invalid-token")
        if to_paypal(ask.amount) is None:
            return declined(NOT_SUPPORTED)
        order = await self._asker.post(
            "/v2/checkout/orders", Order, ask.key, _order(ask, kept[1])
        )
        if isinstance(order, Refused):
            if order.issue == _TWICE:
                # It was made: PayPal's list will say what became of it.
                self._log.error("provider-order-twice", key=str(ask.key))
                raise NoAnswer(order.issue)
            return declined(kebab(order.issue) or "payment-declined")
        if order.status in _NOT_APPROVED:
            return declined("authentication-required")
        return self._of_order(ask, order)

    def _of_order(self, ask: ChargeAsk, order: Order) -> Outcome:
        """What an order says of the attempt that it is for."""
        part = order.capture or order.authorization
        if part is None:
            if order.status == "VOIDED":
                return declined("voided")
            raise NoAnswer(f"an order without a payment: {order.status}")
        if (part.custom_id or order.custom_id) != _mark(ask):
            return declined("order-already-used")
        if part.money != ask.amount:
            self._log.error("provider-answer-wrong", key=str(ask.key))
            return UNKNOWN
        return captured(part) if order.capture else authorized(part)

    def _unfit(self, ask: ChargeAsk, order: Order) -> str | None:
        """Why an approved order is not what the buyer has to pay, if it is not.

        A shopper's page can make one, with any amount and any payee.
        """
        intent = "CAPTURE" if ask.capture else "AUTHORIZE"
        if order.intent != intent:
            return "wrong-intent"
        if len(order.purchase_units) != 1:
            return "wrong-order"
        unit = order.purchase_units[0]
        if unit.amount is None or unit.amount.money != ask.amount:
            return "wrong-amount"
        payee = unit.payee.merchant_id if unit.payee else None
        if self._merchant_id and payee != self._merchant_id:
            return "wrong-payee"
        return None

    def forgotten(self, ask: ChargeAsk) -> bool:
        """Whether PayPal may have forgotten the ask's key."""
        if ask.begun_at is None:
            return False
        return self._now() - ask.begun_at.timestamp() > KEY_SECONDS_MAX

    async def _listed(self, ask: ChargeAsk) -> Outcome | None:
        """What PayPal's list says of a key that it may have forgotten.

        An order made since the list was made is younger than its key: asking for it
        once more is then safe.
        """
        if ask.begun_at is None:
            return None
        until = datetime.fromtimestamp(self._now() - KEY_SECONDS_MAX, UTC)
        found = await self._books.bears(ask.key, ask.begun_at - SKEW, until + SKEW)
        return None if found is None else await self.part(found)


def declined(code: str) -> Outcome:
    """Nothing was charged, and why."""
    return Outcome(status=AttemptStatus.DECLINED, decline_code=code)


def _path(order_id: str) -> str:
    return f"/v2/checkout/orders/{order_id}"


def _mark(ask: ChargeAsk) -> str:
    return mark_of(ask.order_id, ask.attempt)


def _order(ask: ChargeAsk, vault_id: str) -> dict[str, Any]:
    return {
        "intent": "CAPTURE" if ask.capture else "AUTHORIZE",
        "purchase_units": [
            {
                "custom_id": _mark(ask),
                "invoice_id": str(ask.key),
                "amount": to_paypal(ask.amount),
            }
        ],
        "payment_source": {"paypal": {"vault_id": vault_id}},
    }
