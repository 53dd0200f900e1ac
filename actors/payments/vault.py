"""Seals tokens and what describes them, so that a stolen database tells nothing."""

import msgspec
from cryptography.fernet import Fernet, MultiFernet

from bus.kit.settings import SettingsError
from bus.kit.values import Value
from bus.payments import MethodFacts


class Sealed(Value, frozen=True):
    """What is inside a stored method."""

    token: str
    facts: MethodFacts


class Vault:
    """Encrypts with the first of the shop's keys and decrypts with any of them.

    So keys rotate: put a new one first, keep the old ones for what they have sealed.
    """

    def __init__(self, keys: str) -> None:
        try:
            fernets = [Fernet(key.strip()) for key in keys.split(",") if key.strip()]
            self._fernet = MultiFernet(fernets)
        except ValueError as error:
            raise SettingsError(f"SOUK_ENCRYPTION_KEYS: {error}") from None

    def seal(self, text: str) -> str:
        """`text`, encrypted and authenticated."""
        return self._fernet.encrypt(text.encode()).decode()

    def unseal(self, sealed: str) -> str:
        """The text; raises InvalidToken for what none of the keys has sealed."""
        return self._fernet.decrypt(sealed).decode()

    def seal_method(self, token: str, facts: MethodFacts) -> str:
        """A stored method's token and description, together."""
        return self.seal(msgspec.json.encode(Sealed(token, facts)).decode())

    def unseal_method(self, sealed: str) -> Sealed:
        """The inverse of `seal_method`."""
        return msgspec.json.decode(self.unseal(sealed), type=Sealed)
