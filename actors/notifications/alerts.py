"""What needs somebody of the shop: stock, providers, books, dead letters."""

from actors.kit.domain import handles
from actors.kit.process import Run
from actors.notifications.carrying import Carrying
from actors.notifications.tellings import (
    of_alert,
    of_low_stock,
    of_mismatch,
    of_provider,
    of_rejected_refund,
)
from bus.inventory import StockLow
from bus.kit.values import Done
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

    @handles(RaiseAlert)
    async def raise_alert(self, run: Run, command: RaiseAlert) -> Done:
        """Tell all admins what somebody asked to tell them."""
        await self._tell_admins(run, of_alert(command))
        return Done()
