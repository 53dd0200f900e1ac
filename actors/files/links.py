"""Signed links: addresses that open one size of a private file until they expire."""

import hmac
from datetime import UTC, datetime
from uuid import UUID

from bus.files import link_expired

GRID_SECONDS = 300
"""Links made within the same five minutes are alike, so that browsers may keep them."""
_PURPOSE = b"souk: links to private files"


class Links:
    """Signs with the first of the shop's keys and verifies with any of them.

    `keys` are its encryption keys, by comma: what signs here is derived from them, so
    they rotate together and one tells nothing of the other. Without keys there are no
    links.
    """

    def __init__(self, keys: str, seconds: int) -> None:
        named = [key.strip() for key in keys.split(",") if key.strip()]
        self._keys = [hmac.digest(key.encode(), _PURPOSE, "sha256") for key in named]
        self._seconds = seconds

    def expiry(self, now: float) -> int | None:
        """Until when a link that is made now is good, in Unix time; None: no links."""
        if not self._keys:
            return None
        return (int(now) // GRID_SECONDS + 1) * GRID_SECONDS + self._seconds

    def sign(self, file_id: UUID, size: str, expires: int) -> str:
        """The signature of a link (HMAC-SHA-256, RFC 2104)."""
        return _digest(self._keys[0], file_id, size, expires)

    def check(
        self, file_id: UUID, size: str, expires: int, signature: str, now: float
    ) -> bool:
        """Whether a link is good; raises link_expired for one that was.

        One that would be good for longer than any that is made is no link of ours.
        """
        good = False
        for key in self._keys:  # all of them, whichever fits: the time tells nothing
            wanted = _digest(key, file_id, size, expires)
            good |= hmac.compare_digest(wanted.encode(), signature.encode())
        if not good or expires > now + self._seconds + 2 * GRID_SECONDS:
            return False
        if expires <= now:
            raise link_expired()
        return True


def moment(expires: int) -> datetime:
    """A Unix time as the moment that it is."""
    return datetime.fromtimestamp(expires, UTC)


def _digest(key: bytes, file_id: UUID, size: str, expires: int) -> str:
    text = f"{file_id}\n{size}\n{expires}"
    return hmac.digest(key, text.encode(), "sha256").hex()
