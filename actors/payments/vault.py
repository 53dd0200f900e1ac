"""Seals tokens and what describes them, so that a stolen database tells nothing."""

import hashlib

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from bus.kit.settings import SettingsError
from bus.kit.values import Value
from bus.payments import MethodFacts

MARK_CHARACTERS = 12


class Sealed(Value, frozen=True):
    """What is inside a stored method."""

    token: str
    facts: MethodFacts


class Vault:
    """Encrypts with the first of the shop's keys and decrypts with any of them.

    So keys rotate: put a new one first, keep the old ones until what they have sealed
    is sealed anew. `mark` tells the first key from others, and nothing of it.
    """

    def __init__(self, keys: str) -> None:
        try:
            named = [key.strip() for key in keys.split(",") if key.strip()]
            fernets = [Fernet(key) for key in named]
            self._fernet = MultiFernet(fernets)
        except ValueError as error:
            raise SettingsError(f"SOUK_ENCRYPTION_KEYS: {error}") from None

        self._first = fernets[0]
        self.mark = hashlib.sha256(named[0].encode()).hexdigest()[:MARK_CHARACTERS]

    def seal(self, text: str) -> str:
        """`text`, encrypted and authenticated."""
        return self._fernet.encrypt(text.encode()).decode()

    def unseal(self, sealed: str) -> str:
        """The text; raises InvalidToken for what none of the keys has sealed."""
        return self._fernet.decrypt(sealed).decode()

    def reseal(self, sealed: str) -> str:
        """The same text sealed with the first key; raises InvalidToken as `unseal`."""
        return self.seal(self.unseal(sealed))

    def is_stale(self, sealed: str) -> bool:
        """Whether another key than the first has sealed it."""
        try:
            self._first.decrypt(sealed)
        except InvalidToken:
            return True
        return False

    def seal_method(self, token: str, facts: MethodFacts) -> str:
        """A stored method's token and description, together."""
        return self.seal(msgspec.json.encode(Sealed(token, facts)).decode())

    def unseal_method(self, sealed: str) -> Sealed:
        """The inverse of `seal_method`."""
        return msgspec.json.decode(self.unseal(sealed), type=Sealed)
