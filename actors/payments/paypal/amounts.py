"""Amounts as PayPal writes them: decimal strings.

The currencies are those of PayPal's reference
(https://developer.paypal.com/api/rest/reference/currency-codes).
"""

import re

from bus.kit.values import Money

_TWO = frozenset(
    re.findall(
        r"\w+",
        "AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD ILS MXN MYR NOK NZD PHP PLN SEK SGD"
        " THB USD",
    )
)
_WHOLE_OF_TWO = frozenset({"HUF", "TWD"})
"""ISO 4217 gives them two decimals; PayPal takes them without any."""

_WHOLE = frozenset({"JPY"})
_VALUE = re.compile(r"(-?)([0-9]{1,15})(?:\.([0-9]{1,2}))?")


def to_paypal(money: Money) -> dict[str, str] | None:
    """The amount for PayPal's API; None when it cannot be said there."""
    if money.currency in _WHOLE:
        value = str(money.amount)
    elif money.currency in _TWO or money.currency in _WHOLE_OF_TWO:
        whole, rest = divmod(money.amount, 100)
        value = f"{whole}.{rest:02}"
        if money.currency in _WHOLE_OF_TWO:
            if rest:
                return None
            value = str(whole)
    else:
        return None
    return {"currency_code": money.currency, "value": value}


def from_paypal(value: str, currency: str) -> Money | None:
    """The inverse; None for what is no amount, or has decimals that it cannot have."""
    found = _VALUE.fullmatch(value)
    if found is None:
        return None
    sign, whole, rest = found[1], int(found[2]), int((found[3] or "").ljust(2, "0"))
    if currency in _WHOLE:
        if rest:
            return None
        amount = whole
    else:
        amount = whole * 100 + rest
    return Money(-amount if sign else amount, currency)
