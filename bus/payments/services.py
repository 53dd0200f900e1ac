"""What payments answers to over NATS (contract §4): strict bodies."""

from typing import Annotated, Any
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec

from bus.kit.addressing import derived_id
from bus.kit.refusals import Refusal, invalid
from bus.kit.values import Money, Value
from bus.payments.charges import (
    AMOUNT_MAX,
    ATTEMPTS_MAX,
    REASON_CHARACTERS_MAX,
    Charge,
    PaymentMethod,
    RefundPayment,
    payment_id_of,
)
from bus.payments.methods import (
    TOKEN_CHARACTERS_MAX,
    AddMethod,
    card_number_refused,
    holds_card_number,
)

Amount = Annotated[int, msgspec.Meta(gt=0, le=AMOUNT_MAX)]
Currency = Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}$")]
Token = Annotated[str, msgspec.Meta(min_length=1, max_length=TOKEN_CHARACTERS_MAX)]
IdempotencyKey = Annotated[str, msgspec.Meta(min_length=16, max_length=64)]


class AskedMoney(Value, frozen=True, forbid_unknown_fields=True):
    """An amount in minor units, as it is asked for."""

    amount: Amount
    currency: Currency


class ProcessPayment(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`payment.process`: charge an order, at once; once by (order_id, attempt).

    The `idempotency_key` names the request; the attempt makes it act once.
    """

    order_id: UUID
    amount: AskedMoney
    method: PaymentMethod
    token: Token | None = None
    payment_method_id: UUID | None = None
    user_id: UUID | None = None
    attempt: Annotated[int, msgspec.Meta(ge=1, le=ATTEMPTS_MAX)] = 1
    idempotency_key: IdempotencyKey | None = None

    def to_message(self) -> Charge:
        """The command that it asks for; refuses a full card number."""
        if self.token is not None and holds_card_number(self.token):
            raise card_number_refused()
        return Charge(
            order_id=self.order_id,
            amount=Money(self.amount.amount, self.amount.currency),
            method=self.method.value,
            token=self.token,
            payment_method_id=self.payment_method_id,
            user_id=self.user_id,
            attempt=self.attempt,
            at_once=True,
        )


class AddPaymentMethod(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`payment.add-method`: keep a provider's token for a person, encrypted.

    Sent twice with one `idempotency_key` it is kept once.
    """

    user_id: UUID
    method: PaymentMethod
    token: Token
    make_default: bool = False
    idempotency_key: IdempotencyKey

    def to_message(self) -> AddMethod:
        """The command that it asks for; refuses a full card number."""
        if holds_card_number(self.token):
            raise card_number_refused()
        once = _once("payment.add-method", self.idempotency_key)
        return AddMethod(
            user_id=self.user_id,
            method_id=derived_id(once, "payment-method", self.user_id),
            method=self.method.value,
            token=self.token,
            make_default=self.make_default,
        )


class ProcessRefund(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`payment.process-refund`: give captured money back; `amount` absent: the rest.

    Either `payment_id` or `order_id` says of what. Sent twice with one
    `idempotency_key` it goes back once.
    """

    payment_id: UUID | None = None
    order_id: UUID | None = None
    amount: AskedMoney | None = None
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=REASON_CHARACTERS_MAX)]
    idempotency_key: IdempotencyKey

    def to_message(self) -> RefundPayment:
        """The command that it asks for; refuses both ids, and neither."""
        if holds_card_number(self.reason):
            raise card_number_refused()
        if self.order_id is not None and self.payment_id is None:
            payment_id = payment_id_of(self.order_id)
        elif self.payment_id is not None and self.order_id is None:
            payment_id = self.payment_id
        else:
            raise one_id_required()
        once = _once("payment.process-refund", self.idempotency_key)
        asked = self.amount
        return RefundPayment(
            payment_id=payment_id,
            refund_id=derived_id(once, "refund", payment_id),
            amount=None if asked is None else Money(asked.amount, asked.currency),
            reason=self.reason,
        )


def one_id_required() -> Refusal:
    """A refund is of one thing that is named once."""
    return invalid("one-id-required", "Give payment_id or order_id, and not both.")


def _once(subject: str, key: str) -> UUID:
    """The one id that a request's key stands for."""
    return uuid5(NAMESPACE_URL, f"nats:{subject}:{key}")


SERVICES: dict[str, Any] = {
    "payment.process": ProcessPayment,
    "payment.add-method": AddPaymentMethod,
    "payment.process-refund": ProcessRefund,
}
