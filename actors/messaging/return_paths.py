"""Where bounces come back to: one signed address a message (VERP)."""

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from uuid import UUID

SIGNATURE_BYTES = 10

_TAG = re.compile(r"\+([0-9a-f]{32})\.([a-z2-7]{16})@", re.IGNORECASE)


class ReturnPaths:
    """`bounces+<message id>.<signature>@shop.example`.

    Whoever reports a bounce names this address, and only whoever was sent the message
    (and the servers on its way) has seen it: nobody can have a stranger's address
    suppressed. The first secret signs, all verify, so that secrets can be changed.
    """

    def __init__(self, address: str, secrets: Sequence[str]) -> None:
        self._local, _, self._domain = address.rpartition("@")
        self._keys = [_key(secret) for secret in secrets if secret]

    def of(self, message_id: UUID) -> str | None:
        """The message's return path; None: bounces are not read."""
        if not self._local or not self._keys:
            return None
        sign = _signature(self._keys[0], message_id)
        return f"{self._local}+{message_id.hex}.{sign}@{self._domain}"

    def read(self, text: str) -> UUID | None:
        """The message of a return path in a header; None: none of ours is in it."""
        for found in _TAG.finditer(text):
            message_id, sign = UUID(found[1]), found[2].lower()
            for key in self._keys:
                if hmac.compare_digest(_signature(key, message_id), sign):
                    return message_id
        return None


def _key(secret: str) -> bytes:
    """A key for this purpose alone."""
    return hmac.digest(secret.encode(), b"souk: return paths", "sha256")


def _signature(key: bytes, message_id: UUID) -> str:
    digest = hmac.new(key, message_id.bytes, hashlib.sha256).digest()
    return base64.b32encode(digest[:SIGNATURE_BYTES]).decode().lower()
