"""One ask of Stripe, and all that it can end in."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import stripe

from actors.payments.stripe.answers import (
    NO_ANSWER,
    Intent,
    Problem,
    Returned,
    StripeDict,
    declined,
    kebab,
    outcome_of,
    read,
    refund_of,
)
from bus.kit.values import Money
from bus.payments import AttemptStatus, Outcome, RefundOutcome, RefundStatus

UNKNOWN = Outcome(status=AttemptStatus.UNKNOWN)
NOT_KNOWN_YET = RefundOutcome(status=RefundStatus.PENDING)
NOT_FOUND = 404
_TOKEN_PARAMS = frozenset({"payment_method", "customer"})
_TOKEN_CODES = frozenset({"token_already_used", "payment_method_unactivated"})

Ask = Callable[[], Awaitable[StripeDict]]


class Asker:
    """Asks, and turns every end of an ask into what is known then.

    A refusal (4xx) is final: Stripe did nothing. All else, and every error that says
    more of us than of the payment, leaves it unknown.
    """

    def __init__(self, log: Any) -> None:
        self._log = log

    async def intent(
        self, key: UUID, money: Money | None, ask: Ask
    ) -> Intent | Outcome | stripe.InvalidRequestError:
        """The PaymentIntent, or the outcome, or Stripe's reason to refuse the ask."""
        try:
            intent = read(await ask(), Intent)
        except stripe.CardError as error:
            return declined(_problem(error), _intent_id(error))
        except stripe.InvalidRequestError as error:
            if error.http_status == NOT_FOUND and error.code is None:
                return self.unknown(key, error)  # no such address: not about a payment
            return error
        except NO_ANSWER as error:
            return self.unknown(key, error)
        if money is not None and intent.money != money:
            self.wrong(key, intent.status)
            return UNKNOWN
        return intent

    async def outcome(self, key: UUID, money: Money | None, ask: Ask) -> Outcome:
        """What became of a charge; a refusal of the ask declines it."""
        found = await self.intent(key, money, ask)
        if isinstance(found, stripe.InvalidRequestError):
            return self.refused(key, found)
        return outcome_of(found) if isinstance(found, Intent) else found

    async def refund(self, key: UUID, money: Money, ask: Ask) -> RefundOutcome:
        """What became of a refund; a refusal of the ask rejects it."""
        try:
            returned = read(await ask(), Returned)
        except (stripe.InvalidRequestError, stripe.CardError) as error:
            if error.http_status == NOT_FOUND and error.code is None:
                self.unknown(key, error)
                return NOT_KNOWN_YET
            code = kebab(error.code) or "invalid-request"
            self._log.error("provider-refuses", key=str(key), code=code)
            return RefundOutcome(status=RefundStatus.REJECTED, reason_code=code)
        except NO_ANSWER as error:
            self.unknown(key, error)
            return NOT_KNOWN_YET
        if returned.money != money:
            self.wrong(key, returned.status or "")
            return NOT_KNOWN_YET
        return refund_of(returned)

    def refused(self, key: UUID, error: stripe.InvalidRequestError) -> Outcome:
        """Stripe took the ask for a wrong one: nothing was charged."""
        if error.param in _TOKEN_PARAMS or error.code in _TOKEN_CODES:
            return Outcome(status=AttemptStatus.DECLINED, decline_code="invalid-token")
        code = kebab(error.code) or "invalid-request"
        self._log.error("provider-refuses", key=str(key), code=code)
        return Outcome(status=AttemptStatus.DECLINED, decline_code=code)

    def unknown(self, key: UUID, error: Exception) -> Outcome:
        """Nothing is known; what only a person can mend is said loudly."""
        status = getattr(error, "http_status", None)
        ours = (
            stripe.AuthenticationError,
            stripe.PermissionError,
            stripe.IdempotencyError,
            stripe.InvalidRequestError,
        )
        log = self._log.error if isinstance(error, ours) else self._log.warning
        # The text of an error may hold what was asked: its kind says enough.
        log(
            "provider-call-failed",
            provider="stripe",
            key=str(key),
            error=type(error).__name__,
            status=status,
        )
        return UNKNOWN

    def wrong(self, key: UUID, status: str) -> None:
        """An answer that cannot be acted upon: the ask stays unknown."""
        self._log.error(
            "provider-answer-wrong", provider="stripe", key=str(key), status=status
        )


def _problem(error: stripe.CardError) -> Problem:
    return Problem(code=error.code, decline_code=_inner(error).get("decline_code"))


def _intent_id(error: stripe.StripeError) -> str | None:
    intent = _inner(error).get("payment_intent")
    found = intent.get("id") if isinstance(intent, dict) else None
    return found if isinstance(found, str) else None


def _inner(error: stripe.StripeError) -> dict[str, Any]:
    """The `error` of a problem's body, if it is one."""
    body = error.json_body
    inner = body.get("error") if isinstance(body, dict) else None
    return inner if isinstance(inner, dict) else {}
