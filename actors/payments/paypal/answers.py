"""What PayPal answers, and what that means here."""

import re
from typing import TypeVar
from uuid import UUID

import msgspec

from actors.payments.paypal.amounts import from_paypal
from bus.kit.values import Money, Value
from bus.payments import AttemptStatus, Outcome, RefundOutcome, RefundStatus

VOIDED = "voided"
CODE_CHARACTERS_MAX = 100
_MARK = re.compile(r"([0-9a-f-]{36}):([0-9]{1,4}|r:[0-9a-f-]{36})")


class Amount(Value, frozen=True, kw_only=True):
    """An amount as PayPal writes it."""

    currency_code: str
    value: str

    @property
    def money(self) -> Money | None:
        """The same as ours."""
        return from_paypal(self.value, self.currency_code)


class Details(Value, frozen=True, kw_only=True):
    """Why something is not as it should be."""

    reason: str | None = None


class Processor(Value, frozen=True, kw_only=True):
    """What the bank behind PayPal answered."""

    response_code: str | None = None


class Related(Value, frozen=True, kw_only=True):
    """What a part of an order belongs to."""

    order_id: str | None = None


class Supplement(Value, frozen=True, kw_only=True):
    """What PayPal says besides."""

    related_ids: Related | None = None


class Payee(Value, frozen=True, kw_only=True):
    """Whose money it becomes."""

    merchant_id: str | None = None


class Part(Value, frozen=True, kw_only=True):
    """A capture, an authorisation or a refund: money of an order."""

    id: str
    status: str
    amount: Amount | None = None
    custom_id: str | None = None
    invoice_id: str | None = None
    payee: Payee | None = None
    status_details: Details | None = None
    processor_response: Processor | None = None
    supplementary_data: Supplement | None = None

    @property
    def money(self) -> Money | None:
        """What it is about."""
        return self.amount.money if self.amount else None

    @property
    def order_id(self) -> str | None:
        """The order that it is of."""
        of = self.supplementary_data.related_ids if self.supplementary_data else None
        return of.order_id if of else None

    @property
    def reason(self) -> str | None:
        """Why it is not as it should be, as codes are written here."""
        return kebab(self.status_details.reason if self.status_details else None)


class Parts(Value, frozen=True, kw_only=True):
    """What was done with an order's money."""

    captures: tuple[Part, ...] = ()
    authorizations: tuple[Part, ...] = ()
    refunds: tuple[Part, ...] = ()


class Unit(Value, frozen=True, kw_only=True):
    """What is bought: one a payment."""

    reference_id: str = "default"
    amount: Amount | None = None
    custom_id: str | None = None
    invoice_id: str | None = None
    payee: Payee | None = None
    payments: Parts = Parts()


class Order(Value, frozen=True, kw_only=True):
    """PayPal's order: one attempt's."""

    id: str
    status: str
    intent: str | None = None
    purchase_units: tuple[Unit, ...] = ()

    @property
    def capture(self) -> Part | None:
        """The last capture, if there is any."""
        found = [c for unit in self.purchase_units for c in unit.payments.captures]
        return found[-1] if found else None

    @property
    def authorization(self) -> Part | None:
        """The last authorisation, if there is any."""
        found = [
            a for unit in self.purchase_units for a in unit.payments.authorizations
        ]
        return found[-1] if found else None

    @property
    def refunds(self) -> tuple[Part, ...]:
        """All that was given back of it."""
        return tuple(r for unit in self.purchase_units for r in unit.payments.refunds)

    @property
    def custom_id(self) -> str | None:
        """The mark of the attempt that it is for."""
        return self.purchase_units[0].custom_id if self.purchase_units else None


class Issue(Value, frozen=True, kw_only=True):
    """One thing that is wrong with a request."""

    issue: str = ""


class Problem(Value, frozen=True, kw_only=True):
    """The body of a refused request."""

    name: str = ""
    details: tuple[Issue, ...] = ()

    @property
    def issue(self) -> str:
        """The most exact code."""
        return self.details[0].issue if self.details else self.name


Read = TypeVar("Read")


def read(body: bytes, kind: type[Read]) -> Read:
    """A body's fields that count; raises ValueError when they are not there."""
    return msgspec.json.decode(body, type=kind)


def captured(part: Part) -> Outcome:
    """What a capture's status means for its attempt."""
    match part.status:
        case "COMPLETED" | "PARTIALLY_REFUNDED" | "REFUNDED":
            status = AttemptStatus.SUCCEEDED
        case "PENDING":
            status = AttemptStatus.PENDING
        case "DECLINED" | "FAILED":
            return _declined(part)
        case _:
            status = AttemptStatus.UNKNOWN
    return Outcome(status=status, reference=part.id)


def authorized(part: Part) -> Outcome:
    """What an authorisation's status means; what is captured is asked of its order."""
    match part.status:
        case "CREATED":
            status = AttemptStatus.AUTHORIZED
        case "PENDING":
            status = AttemptStatus.PENDING
        case "DENIED":
            return _declined(part)
        case "VOIDED" | "EXPIRED":
            code = VOIDED if part.status == "VOIDED" else "authorization-expired"
            return Outcome(
                status=AttemptStatus.DECLINED, decline_code=code, reference=part.id
            )
        case _:
            status = AttemptStatus.UNKNOWN
    return Outcome(status=status, reference=part.id)


def refunded(part: Part) -> RefundOutcome:
    """What a refund's status means."""
    match part.status:
        case "COMPLETED":
            status = RefundStatus.COMPLETED
        case "FAILED" | "CANCELLED":
            status = RefundStatus.REJECTED
        case _:
            status = RefundStatus.PENDING
    rejected = status is RefundStatus.REJECTED
    return RefundOutcome(
        status=status,
        reason_code=(part.reason or kebab(part.status)) if rejected else None,
        reference=part.id,
    )


def mark_of(order_id: UUID, attempt: int) -> str:
    """The `custom_id` by which PayPal's order, captures and webhooks are ours."""
    return f"{order_id}:{attempt}"


def refund_mark_of(order_id: UUID, refund_id: UUID) -> str:
    """The same of a refund."""
    return f"{order_id}:r:{refund_id}"


def marked(custom_id: str | None) -> tuple[UUID, int | UUID] | None:
    """The order, and its attempt's number or refund's id, that a mark names."""
    found = _MARK.fullmatch(custom_id or "")
    if found is None:
        return None
    try:
        what = found[2]
        number = UUID(what[2:]) if what.startswith("r:") else int(what)
        return UUID(found[1]), number
    except ValueError:
        return None


def kebab(code: str | None) -> str | None:
    """A code of PayPal's as codes are written here."""
    return code.lower().replace("_", "-")[:CODE_CHARACTERS_MAX] if code else None


def _declined(part: Part) -> Outcome:
    answer = part.processor_response
    code = f"processor-{answer.response_code}" if answer else None
    return Outcome(
        status=AttemptStatus.DECLINED,
        decline_code=part.reason or kebab(code) or "payment-declined",
        reference=part.id,
    )
