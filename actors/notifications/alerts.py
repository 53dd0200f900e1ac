"""What needs somebody of the shop: stock, providers, books, dead letters."""

from uuid import UUID

from actors.kit.domain import handles
from actors.kit.process import Run
from actors.notifications.carrying import Carrying
from actors.notifications.tellings import (
    of_alert,
    of_failed_message,
    of_low_stock,
    of_mismatch,
    of_provider,
    of_rejected_refund,
)
from bus.inventory import StockLow
from bus.kit.addressing import derived_id
from bus.kit.values import Done
from bus.messaging import MessageFailed
from bus.notifications import RaiseAlert
from bus.payments import (
    ProviderEvent,
    ProviderFailing,
    ProviderRecovered,
    ReconciliationMismatch,
    RefundRejected,
)
from bus.products import GetOffers
from bus.users import FindStaff, Role

HOUR_MILLISECONDS = 3_600_000
OF_ONE_READER = ("bounced", "recipient-", "address-", "number-", "sms-undelivered")


class Alerts(Carrying):
    """Tells administrators, and sellers where it is theirs, once by fact."""

    @handles(StockLow)
    async def stock_low(self, run: Run, event: StockLow) -> None:
        """Tell the seller and all admins; inventory tells it once per fall."""
        staff = await run.ask(FindStaff(role=Role.ADMIN))
        offers = await run.ask(GetOffers(skus=(event.sku,)))
        people = set(staff.user_ids)
        people |= {offer.seller_id for offer in offers.offers if offer.seller_id}
        await self._tell_all(run, run.id, people, of_low_stock(event))

    @handles(ProviderFailing)
    @handles(ProviderRecovered)
    async def provider_changed(self, run: Run, event: ProviderEvent) -> None:
        """Tell all admins that payments wait for a provider, or no longer do."""
        await self._tell_admins(run, of_provider(event))

    @handles(RefundRejected)
    async def refund_rejected(self, run: Run, event: RefundRejected) -> None:
        """Tell all admins: the money has to go back another way."""
        await self._tell_admins(run, of_rejected_refund(event))

    @handles(ReconciliationMismatch)
    async def books_differ(self, run: Run, event: ReconciliationMismatch) -> None:
        """Tell all admins; payments tells each difference once."""
        await self._tell_admins(run, of_mismatch(event))

    @handles(MessageFailed)
    async def message_failed(self, run: Run, event: MessageFailed) -> None:
        """Tell all admins of a dead end in sending, once an hour for each reason.

        What came back, or was not sent for that, is a matter between the shop and one
        reader; and an alert that cannot be mailed raises no other.
        """
        if event.reason.startswith(OF_ONE_READER):
            return
        source = derived_id(_hour_of(run.id), f"message-failed {event.reason}")
        staff = await run.ask(FindStaff(role=Role.ADMIN))
        telling = of_failed_message(event)
        await self._tell_all(run, source, set(staff.user_ids), telling)

    @handles(RaiseAlert)
    async def raise_alert(self, run: Run, command: RaiseAlert) -> Done:
        """Tell all admins what somebody asked to tell them."""
        await self._tell_admins(run, of_alert(command))
        return Done()


def _hour_of(event_id: UUID) -> UUID:
    """One id (UUIDv7) for all events of an hour."""
    milliseconds = event_id.int >> 80
    begun = milliseconds - milliseconds % HOUR_MILLISECONDS
    return UUID(int=begun << 80 | 0x7 << 76 | 0x2 << 62)
