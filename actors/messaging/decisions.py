"""What messaging decides, without a database or a clock of its own."""

from datetime import datetime, timedelta

ATTEMPTS_MAX = 12
FIRST_DELAY_SECONDS = 5
DELAY_SECONDS_MAX = 3_600
SPREAD = 0.2


def next_attempt(
    attempts: int,
    now: datetime,
    *,
    permanent: bool,
    chance: float = 0.5,
    after_seconds: float = 0.0,
) -> datetime | None:
    """When a message that was tried `attempts` times before is tried again, or None.

    The delay triples from five seconds to an hour, so the last of twelve tries comes
    some six hours after the first: longer than a mail server's bad night. `chance`
    (0…1) spreads it by a tenth to either side, so that what failed together does not
    come back together. It is never shorter than `after_seconds`, which the server
    asked for, nor longer than an hour and its tenth.
    """
    if permanent or attempts + 1 >= ATTEMPTS_MAX:
        return None
    delay = min(FIRST_DELAY_SECONDS * 3**attempts, DELAY_SECONDS_MAX)
    spread = delay * (1 + SPREAD * (chance - 0.5))
    asked = min(after_seconds, DELAY_SECONDS_MAX)
    return now + timedelta(seconds=max(spread, asked))
