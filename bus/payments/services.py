"""What payments answers to over NATS (contract §4): strict bodies."""

from typing import Annotated, Any
from uuid import UUID

import msgspec

from bus.kit.values import Money, Value
from bus.payments.charges import AMOUNT_MAX, ATTEMPTS_MAX, Charge, PaymentMethod
from bus.payments.methods import (
    TOKEN_CHARACTERS_MAX,
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
    """`payment.process`: charge an order; once by (order_id, attempt).

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
        )


SERVICES: dict[str, Any] = {"payment.process": ProcessPayment}
