"""What all of payments' handlers stand on: the provider, the vault, the books."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from actors.kit.domain import Domain
from actors.payments.desk import Desk
from actors.payments.paypal import PayPal
from actors.payments.provider import Provider
from actors.payments.sandbox import Sandbox
from actors.payments.stripe import Stripe
from actors.payments.vault import Vault
from actors.payments.watching import Watch, Watched
from bus.kit.messages import Event, Message
from bus.kit.refusals import Failed, Unavailable, Unknown
from bus.kit.settings import SettingsError
from bus.kit.tasks import end_tasks
from bus.payments import (
    NoteProvider,
    ScheduleReconcile,
    ScheduleReseal,
    payment_id_of,
)
from persistence.kit.transaction import Tx
from persistence.payments import (
    LedgerLine,
    Payment,
    failing_providers,
    load_payments,
    next_version,
    save_attempts,
    save_payments,
    save_refunds,
    write_ledger,
)

PAYMENT = "payment"
METHODS_VAULT = "methods"


class Till(Domain):
    """A domain with a provider and a vault, opened at its start."""

    desk: Desk
    vault: Vault
    _begun: list[asyncio.Task[None]]

    @property
    def provider_timeout_seconds(self) -> float:
        """How long the provider may take before its answer counts as unknown."""
        return self.settings.provider_timeout_seconds

    async def start(self) -> None:
        """Open the vault and the providers' clients."""
        if not self.settings.encryption_keys:
            raise SettingsError("SOUK_ENCRYPTION_KEYS is not set")
        self.vault = Vault(self.settings.encryption_keys)
        async with self.read() as db:
            failing = await failing_providers(db)
        watched = [self._watched(one, failing) for one in self._providers()]
        self.desk = Desk(watched, self.log)
        wishes: list[Message] = [ScheduleReseal(vault=METHODS_VAULT)]
        wishes += [ScheduleReconcile(provider=name) for name in self.desk.names]
        self._begun = [asyncio.create_task(self._begin(wish)) for wish in wishes]

    async def stop(self) -> None:
        """Close the providers' clients."""
        await end_tasks(self._begun)
        await self.desk.close()

    def _watched(self, provider: Provider, failing: frozenset[str]) -> Watched:
        watch = Watch(provider.name, self._note_provider, self.clock)
        watch.failing = provider.name in failing
        return Watched(provider, watch)

    async def _note_provider(self, name: str, failing: bool, failures: int) -> None:
        """Let the one shard that keeps the provider's row know of a change."""
        try:
            await self.ask(
                NoteProvider(provider=name, failing=failing, failures=failures)
            )
        except (Unavailable, Unknown, Failed) as error:
            self.log.warning("provider-not-noted", provider=name, error=repr(error))

    async def _begin(self, wish: Message) -> None:
        """Set a timer, as the shard that owns it; the others have nothing to do."""
        try:
            await self.send(wish)
        except Unavailable:
            return
        except (Unknown, Failed) as error:
            self.log.warning("timer-not-set", message=wish.kind(), error=repr(error))

    def _providers(self) -> list[Provider]:
        """The clients of all providers that the settings name."""
        settings, seconds = self.settings, self.provider_timeout_seconds
        providers: list[Provider] = []
        if settings.stripe_secret_key:
            providers.append(Stripe(settings, self.log, seconds, self.clock))
        if settings.paypal_client_id:
            providers.append(PayPal(settings, self.log, seconds, self.clock))
        if settings.profile == "production":
            if not providers:
                self.log.error("no-payment-provider")  # the sandbox is no bank
            return providers
        if not settings.bank_url:
            raise SettingsError("SOUK_BANK_URL is not set")
        bank = Sandbox(
            settings.bank_url, settings.bank_webhook_secret, self.log, seconds
        )
        return [*providers, bank]


class Book:
    """The payments of one round: as found, as decided, and written as a set.

    What is told of a payment is traced to the message that names its order.
    """

    def __init__(
        self,
        tx: Tx,
        found: dict[UUID, Payment | None],
        about: Mapping[UUID, Message],
    ) -> None:
        self._tx = tx
        self._about = about
        self._found = found
        self._now = dict(found)
        self._lines: list[LedgerLine] = []

    @classmethod
    async def open(cls, tx: Tx, messages: Iterable[Message]) -> "Book":
        """The payments of these messages' orders, from memory or in one read."""
        about = {
            payment_id_of(message.order_id): message  # type: ignore[attr-defined]
            for message in messages
        }
        return cls(tx, await tx.load(PAYMENT, sorted(about), load_payments), about)

    def payment(self, order_id: UUID) -> Payment | None:
        """The order's payment as decided so far."""
        return self._now[payment_id_of(order_id)]

    def put(
        self,
        payment: Payment,
        lines: Sequence[LedgerLine] = (),
        *events: Event,
    ) -> None:
        """Decide what the payment is from now on, what to book and what to tell."""
        self._now[payment.id] = payment
        self._lines += lines
        for event in events:
            self._tx.tell(event, about=self._about.get(payment.id))

    async def save(self) -> None:
        """Write what has changed: one statement a table, whatever the number."""
        changed = [
            next_version(self._found[payment_id], payment, self._tx.now)
            for payment_id, payment in self._now.items()
            if payment is not None and payment is not self._found[payment_id]
        ]
        if not changed:
            return
        await save_payments(self._tx, changed)
        attempts = [
            (payment.id, attempt)
            for payment in changed
            for attempt in payment.attempts
            if not _holds(self._found[payment.id], attempt)
        ]
        refunds = [
            (payment.id, refund)
            for payment in changed
            for refund in payment.refunds
            if not _holds(self._found[payment.id], refund)
        ]
        if attempts:
            await save_attempts(self._tx, attempts)
        if refunds:
            await save_refunds(self._tx, refunds)
        if self._lines:
            await write_ledger(self._tx, self._lines)
        for payment in changed:
            self._tx.keep(PAYMENT, payment.id, payment)


def _holds(payment: Payment | None, part: object) -> bool:
    """Whether a payment was found with this very attempt or refund."""
    if payment is None:
        return False
    return any(part is p for p in (*payment.attempts, *payment.refunds))
