"""Which provider takes a payment: by its method at first, by its name ever after."""

from collections.abc import Iterable
from typing import Any

from actors.payments.absent import Absent
from actors.payments.provider import Provider
from bus.payments import PaymentMethod, payment_method_unavailable

_TAKERS: dict[str, tuple[str, ...]] = {
    PaymentMethod.CREDIT_CARD: ("stripe",),
    PaymentMethod.DEBIT_CARD: ("stripe",),
    PaymentMethod.DIGITAL_WALLET: ("stripe",),
    PaymentMethod.PAYPAL: ("paypal",),
    PaymentMethod.BANK_TRANSFER: (),
}
"""Who takes a method; after them, where there is one, the sandbox takes it."""


class Desk:
    """The providers that the settings name."""

    def __init__(self, providers: Iterable[Provider], log: Any) -> None:
        self._providers = {provider.name: provider for provider in providers}
        self._log = log

    def for_method(self, method: str) -> Provider:
        """The provider that takes new payments of that method; refuses without one."""
        for name in (*_TAKERS.get(method, ()), "sandbox"):
            if name in self._providers:
                return self._providers[name]
        raise payment_method_unavailable(method)

    def named(self, name: str) -> Provider:
        """The provider that something was begun with, whatever the settings say now."""
        return self._providers.get(name) or Absent(name, self._log)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all of them, sorted."""
        return tuple(sorted(self._providers))

    async def close(self) -> None:
        """Close all of them."""
        for provider in self._providers.values():
            await provider.close()
