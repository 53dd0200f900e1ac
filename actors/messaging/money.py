"""Amounts of money as people of a locale write them."""

from copy import copy
from decimal import Decimal
from functools import lru_cache
from typing import Any

import jinja2
from babel import Locale, UnknownLocaleError
from iso4217 import Currency

LOCALE_DEFAULT = "en"
DIGITS_DEFAULT = 2


@jinja2.pass_context
def money(context: jinja2.runtime.Context, value: dict[str, Any]) -> str:
    """`{"amount": 1999, "currency": "USD"}` as people of the locale write it."""
    return _written(value["amount"], value["currency"], context["locale"])


@lru_cache(maxsize=4096)
def _written(amount: int, currency: str, locale: str) -> str:
    try:
        known = Locale.parse(locale.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        known = Locale(LOCALE_DEFAULT)
    digits = _digits(currency)
    pattern = copy(known.currency_formats["standard"])
    # What a locale shows of a currency by custom can be less than its minor units.
    pattern.frac_prec = (digits, digits)
    number = Decimal(amount).scaleb(-digits)
    return str(pattern.apply(number, known, currency=currency, currency_digits=False))


def _digits(currency: str) -> int:
    """How many decimals the minor unit of a currency has (ISO 4217)."""
    try:
        exponent: int | None = Currency(currency).exponent
    except ValueError:
        exponent = None
    return DIGITS_DEFAULT if exponent is None else exponent
