"""Amounts as Stripe counts them, where that is not ISO 4217's minor unit.

The tables are those of https://docs.stripe.com/currencies. The shop's amounts are in
minor units of ISO 4217, which agree with Stripe's for all other currencies.
"""

from bus.kit.values import Money

_HUNDREDTHS = frozenset({"ISK", "UGX"})
"""ISO 4217 gives them no decimals; Stripe takes them with two, which must be 00."""

_WHOLE = frozenset({"MGA"})
"""ISO 4217 gives them two decimals; Stripe takes them without any."""

_TENTHS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
"""Three decimals; Stripe wants the last one to be 0."""


def to_stripe(money: Money) -> int | None:
    """The amount for Stripe's API; None when it cannot be said there."""
    if money.currency in _HUNDREDTHS:
        return money.amount * 100
    if money.currency in _WHOLE:
        whole, rest = divmod(money.amount, 100)
        return None if rest else whole
    if money.currency in _TENTHS and money.amount % 10:
        return None
    return money.amount


def from_stripe(amount: int, currency: str) -> Money | None:
    """The inverse; `currency` as Stripe writes it, in small letters."""
    code = currency.upper()
    if code in _HUNDREDTHS:
        whole, rest = divmod(amount, 100)
        return None if rest else Money(whole, code)
    if code in _WHOLE:
        return Money(amount * 100, code)
    return Money(amount, code)
