"""E-mail addresses as the shop keeps them: normalised, and in lower case."""

import re

from email_validator import (
    SPECIAL_USE_DOMAIN_NAMES,
    EmailNotValidError,
    validate_email,
)

# What the library returns as it came, but for capitals: a dot-atom (RFC 5322 §3.2.3)
# and a domain of letters, digits and single hyphens, so that no label is Punycode or
# reserved (RFC 5890 §2.3.1). Lengths are below all of RFC 5321's.
_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*"
_PLAIN = re.compile(
    rf"(?=[^@]{{1,64}}@[^@]{{1,63}}\Z){_ATEXT}(?:\.{_ATEXT})*"
    rf"@(?:{_LABEL}\.)+([A-Za-z]+)"
)
_RESERVED = frozenset(name.rpartition(".")[2] for name in SPECIAL_USE_DOMAIN_NAMES)


def normal_email(address: str) -> str:
    """The address in its one form; raises ValueError for what is none.

    Nearly all are plain, and answered without the library, whose many looks at each
    character were among the dearest things that the gateway did for an order.
    """
    plain = _PLAIN.fullmatch(address)
    if plain is not None and plain[1].lower() not in _RESERVED:
        return address.lower()
    return by_library(address)


def by_library(address: str) -> str:
    """What the library makes of it; `normal_email` is a short cut to the same."""
    try:
        found = validate_email(address, check_deliverability=False)
    except EmailNotValidError as error:
        raise ValueError(str(error)) from None
    return found.normalized.lower()
