"""What each token does: the bank's whole judgement, and it never varies."""

import re
from typing import NamedTuple

SLOW_MS_MAX = 60_000
SETTLE_MS_DEFAULT = 1_500
HOLD_MS_DEFAULT = 7 * 24 * 3_600_000

_WITH_MS = re.compile(r"tok_(slow|pending|expires)_(\d{1,5})")


class Verdict(NamedTuple):
    """What becomes of a charge, and when its answer is known.

    `hold_ms` is how long the bank holds the money where it is asked to hold it first.
    """

    status: str
    decline_code: str | None = None
    delay_ms: int = 0
    settle_ms: int | None = None
    mute: bool = False
    hold_ms: int = HOLD_MS_DEFAULT


class Card(NamedTuple):
    """What the bank tells of a token, so that a person can recognise it."""

    brand: str
    last4: str
    exp_month: int | None
    exp_year: int | None


CARDS = {
    "tok_visa": Card("visa", "4242", 12, 2034),
    "tok_mastercard": Card("mastercard", "4444", 11, 2033),
    "tok_paypal": Card("paypal", "0000", None, None),
    "tok_wallet": Card("wallet", "8310", 8, 2032),
    "tok_bank": Card("bank", "6789", None, None),
    "tok_declined": Card("visa", "0002", 12, 2034),
    "tok_insufficient_funds": Card("visa", "9995", 12, 2034),
    "tok_timeout": Card("visa", "0119", 12, 2034),
    "tok_pending": Card("bank", "3000", None, None),
}

_VERDICTS = {
    "tok_declined": Verdict("declined", "card-declined"),
    "tok_insufficient_funds": Verdict("declined", "insufficient-funds"),
    "tok_timeout": Verdict("succeeded", mute=True),
    "tok_pending": Verdict("pending", settle_ms=SETTLE_MS_DEFAULT),
    "tok_pending_declined": Verdict(
        "pending", "card-declined", settle_ms=SETTLE_MS_DEFAULT
    ),
}
_SUCCEEDED = Verdict("succeeded")
_UNKNOWN_TOKEN = Verdict("declined", "invalid-token")


def verdict(token: str) -> Verdict:
    """What a charge of `token` comes to.

    `tok_slow_250` succeeds after 250 ms, `tok_pending_250` is settled after 250 ms,
    `tok_expires_250` is held for 250 ms only, where it is held first; a pending
    verdict's `decline_code` is what it is settled with.
    """
    if found := _VERDICTS.get(token):
        return found
    if token in CARDS:
        return _SUCCEEDED
    if timed := _WITH_MS.fullmatch(token):
        milliseconds = min(int(timed[2]), SLOW_MS_MAX)
        if timed[1] == "slow":
            return Verdict("succeeded", delay_ms=milliseconds)
        if timed[1] == "expires":
            return Verdict("succeeded", hold_ms=milliseconds)
        return Verdict("pending", settle_ms=milliseconds)
    return _UNKNOWN_TOKEN


def card(token: str) -> Card | None:
    """What is shown of `token`; None for one that the bank never gave out."""
    if _WITH_MS.fullmatch(token):
        return Card("visa", "1111", 12, 2034)
    return CARDS.get(token)
