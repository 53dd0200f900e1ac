"""What messaging decides, without a database or a clock of its own."""

from datetime import datetime, timedelta

ATTEMPTS_MAX = 12
FIRST_DELAY_SECONDS = 5
DELAY_SECONDS_MAX = 3_600


def next_attempt(attempts: int, now: datetime, *, permanent: bool) -> datetime | None:
    """When a message that was tried `attempts` times before is tried again, or None.

    The delay triples from five seconds to an hour, so the last of twelve tries comes
    some six hours after the first: longer than a mail server's bad night.
    """
    if permanent or attempts + 1 >= ATTEMPTS_MAX:
        return None
    delay = min(FIRST_DELAY_SECONDS * 3**attempts, DELAY_SECONDS_MAX)
    return now + timedelta(seconds=delay)
