"""PayPal's Transaction Search: what it has moved, up to three hours ago."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from actors.payments.lines import NoAnswer
from actors.payments.paypal.answers import Amount
from actors.payments.paypal.asking import Asker, Refused
from actors.payments.provider import ProviderTransaction, TransactionKind
from bus.kit.refusals import Unavailable
from bus.kit.values import Money, Value

PAGE = 500
PAGES_MAX = 1_000
DAYS_MAX = 31
"""PayPal answers for no longer time at once."""

_REFUNDS = ("T11",)
_CHARGES = ("T00", "T13")
_STATUSES = {"S": "succeeded", "P": "pending", "D": "failed", "V": "failed"}


class Info(Value, frozen=True, kw_only=True):
    """What of a transaction counts here."""

    transaction_id: str
    transaction_event_code: str
    transaction_initiation_date: datetime
    transaction_amount: Amount
    transaction_status: str = ""
    invoice_id: str | None = None


class Detail(Value, frozen=True, kw_only=True):
    """One line of a page."""

    transaction_info: Info


class Page(Value, frozen=True, kw_only=True):
    """One page, and up to when PayPal's list is whole."""

    transaction_details: tuple[Detail, ...] = ()
    total_pages: int = 1
    last_refreshed_datetime: datetime | None = None


class Books:
    """Reads PayPal's list."""

    def __init__(self, asker: Asker, log: Any) -> None:
        self._asker = asker
        self._log = log

    async def bears(
        self, key: UUID, since: datetime, whole_until: datetime
    ) -> str | None:
        """The id of the payment that bears a key as invoice id; None: there is none.

        Raises NoAnswer where the list is not whole up to `whole_until`.
        """
        at = since
        while at < whole_until:
            end = min(at + timedelta(days=DAYS_MAX), whole_until)
            async for page in self._pages(at, end):
                refreshed = page.last_refreshed_datetime
                if refreshed is None or refreshed < end:
                    raise NoAnswer("the list is not whole yet")
                for detail in page.transaction_details:
                    info = detail.transaction_info
                    if info.invoice_id == str(key):
                        return info.transaction_id
            at = end
        return None

    async def transactions(
        self, since: datetime, until: datetime
    ) -> AsyncIterator[ProviderTransaction]:
        """All payments and refunds of that time, as far as PayPal lists them yet."""
        try:
            at = since
            while at < until:
                end = min(at + timedelta(days=DAYS_MAX), until)
                async for page in self._pages(at, end):
                    for detail in page.transaction_details:
                        moved = _moved(detail.transaction_info)
                        if moved is not None:
                            yield moved
                at = end
        except NoAnswer:
            raise Unavailable("the provider does not answer") from None

    async def _pages(self, since: datetime, until: datetime) -> AsyncIterator[Page]:
        for number in range(1, PAGES_MAX + 1):
            query = urlencode(
                {
                    "start_date": _moment(since),
                    "end_date": _moment(until),
                    "fields": "transaction_info",
                    "page_size": PAGE,
                    "page": number,
                }
            )
            page = await self._asker.get(f"/v1/reporting/transactions?{query}", Page)
            if isinstance(page, Refused):
                self._log.error(
                    "provider-refuses", provider="paypal", code=page.issue[:100]
                )
                raise NoAnswer(page.issue)
            yield page
            if number >= page.total_pages:
                return
        raise NoAnswer("too many pages")


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _moved(info: Info) -> ProviderTransaction | None:
    """A payment or a refund; fees, transfers and holds are neither."""
    code = info.transaction_event_code
    money = info.transaction_amount.money
    if money is None or not code.startswith((*_REFUNDS, *_CHARGES)):
        return None
    try:
        key = UUID(info.invoice_id) if info.invoice_id else None
    except ValueError:
        key = None
    refund = code.startswith(_REFUNDS)
    return ProviderTransaction(
        kind=TransactionKind.REFUND if refund else TransactionKind.CHARGE,
        reference=info.transaction_id,
        key=key,
        amount=Money(abs(money.amount), money.currency),
        status=_STATUSES.get(info.transaction_status, "pending"),
        at=info.transaction_initiation_date,
    )
