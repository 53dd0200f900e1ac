"""Stored payment methods: a provider's token for a person, never a card number."""

import re
from datetime import datetime
from uuid import UUID

from bus.kit.messages import Command, Query, by
from bus.kit.refusals import Refusal, conflict, invalid, not_found
from bus.kit.values import Done, Page, Value

METHODS_MAX = 20
TOKEN_CHARACTERS_MAX = 255
CARD_DIGITS_MAX = 19

_DIGITS = re.compile(r"(?:\d[ -]?){12,18}\d")
TEST_CARDS = {
    "4242424242424242": "tok_visa",
    "5555555555554444": "tok_mastercard",
    "4000000000000002": "tok_declined",
    "4000000000009995": "tok_insufficient_funds",
}
"""The providers' test range: published numbers that belong to nobody."""


# --- views -------------------------------------------------------------------


class MethodView(Value, frozen=True, kw_only=True):
    """A stored method, as far as it is shown: never its token."""

    id: UUID
    method: str
    provider: str
    brand: str
    last4: str
    exp_month: int | None
    exp_year: int | None
    is_default: bool
    version: int
    created_at: datetime
    updated_at: datetime


# --- commands ----------------------------------------------------------------


class AddMethod(Command[MethodView], frozen=True, kw_only=True):
    """Keep a provider's token for a person, encrypted; once by `method_id`."""

    key = by("user_id")
    remembered = False
    user_id: UUID
    method_id: UUID
    method: str
    token: str
    make_default: bool = False


class RemoveMethod(Command[Done], frozen=True, kw_only=True):
    """Forget a stored method, then have its provider forget it, too.

    404 when it is not that person's.
    """

    key = by("user_id")
    remembered = False
    user_id: UUID
    method_id: UUID
    version: int | None = None


class SetDefaultMethod(Command[MethodView], frozen=True, kw_only=True):
    """Make a stored method the one that is offered first."""

    key = by("user_id")
    remembered = False
    user_id: UUID
    method_id: UUID
    version: int | None = None


# --- queries -----------------------------------------------------------------


class ListMethods(Query[Page[MethodView]], frozen=True, kw_only=True):
    """A person's stored methods, the default first."""

    key = by("user_id")
    user_id: UUID


# --- refusals ----------------------------------------------------------------


def card_number_refused() -> Refusal:
    """A full card number must never reach the shop (PCI DSS 4.0, 3.3)."""
    return invalid("card-number-refused", "Send a provider's token instead.")


def unknown_method() -> Refusal:
    """No such stored method, or another person's."""
    return not_found("payment method")


def unknown_token() -> Refusal:
    """The provider never gave out such a token."""
    return invalid("unknown-token", "The provider does not know this token.")


def method_mismatch() -> Refusal:
    """The method was kept before, with another token."""
    return invalid("idempotency-key-reused", "This was sent before with other data.")


def other_kind() -> Refusal:
    """A stored card pays as the card that it is."""
    return invalid("payment-method-mismatch", "The stored method is of another kind.")


def token_required() -> Refusal:
    """A charge needs a token or a stored method, and not both."""
    return invalid("payment-token-required", "Give a token or a payment_method_id.")


def unknown_kind(method: str) -> Refusal:
    """The shop takes no such kind of payment."""
    return invalid("unknown-payment-method", f"No such method: {method[:20]}.")


def too_many_methods() -> Refusal:
    """A person keeps at most `METHODS_MAX` methods."""
    return conflict("too-many-methods", f"At most {METHODS_MAX} are kept.")


def holds_card_number(text: str) -> bool:
    """Whether `text` holds a full card number outside the test range.

    13 to 19 digits that pass the Luhn check (ISO/IEC 7812-1, annex B).
    """
    for found in _DIGITS.findall(text):
        digits = re.sub(r"\D", "", found)
        odd = sum(int(digit) for digit in digits[-1::-2])
        even = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
        if (odd + even) % 10 == 0 and digits not in TEST_CARDS:
            return True
    return False


def is_token(text: str) -> bool:
    """Whether `text` can be a provider's token: printable ASCII, and not too long."""
    fits = 0 < len(text) <= TOKEN_CHARACTERS_MAX
    return fits and text.isascii() and text.isprintable()


# --- steps -------------------------------------------------------------------


class MethodFacts(Value, frozen=True, kw_only=True):
    """What a provider tells of a token: all of it that is kept.

    `token` is what to keep where that is not the token that was asked about.
    """

    brand: str
    last4: str
    exp_month: int | None = None
    exp_year: int | None = None
    token: str | None = None


class SaveMethod(Command[MethodView], frozen=True, kw_only=True):
    """Write a method that its provider has described; once by `method_id`."""

    key = by("user_id")
    remembered = False
    user_id: UUID
    method_id: UUID
    method: str
    token: str
    facts: MethodFacts
    make_default: bool = False
    provider: str = "sandbox"


class LetMethodGo(Command[Done], frozen=True, kw_only=True):
    """Have a provider forget what a removed method has kept there (a due message).

    `sealed` is the method, encrypted; `tries` how often the provider did not answer.
    """

    key = by("user_id")
    remembered = False
    user_id: UUID
    method_id: UUID
    provider: str
    sealed: str
    tries: int = 0


class PutOffLettingGo(Command[Done], frozen=True, kw_only=True):
    """The provider did not answer: try later, or give it up."""

    key = by("user_id")
    remembered = False
    user_id: UUID
    tried: LetMethodGo
