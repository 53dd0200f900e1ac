"""Reading rows of several domains as books, by the messages that each answers."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec

from actors.auditing import money_rows, rows
from actors.auditing.row import Row
from bus.kit.books import Rows, read_books
from bus.kit.messages import decode
from bus.kit.refusals import ENDS

ASK_SECONDS_MAX = 5.0

Ask = Callable[..., Awaitable[Any]]
Wanted = Mapping[str, Mapping[str, Sequence[str]]]
"""By domain, by the name that a domain shows a table by, the keys of its rows."""


class Away(Exception):
    """A domain did not answer: nothing can be said of it."""

    def __init__(self, domain: str, reason: str) -> None:
        super().__init__(domain, reason)
        self.domain = domain
        self.reason = reason


FIELDS: dict[str, tuple[str, type[Row]]] = {
    "orders": ("orders", rows.Order),
    "order_lines": ("lines", rows.Line),
    "timeline": ("steps", rows.Step),
    "product_replica": ("replica", rows.KnownOffer),
    "holds": ("holds", rows.Hold),
    "timed_holds": ("timed_holds", rows.TimedHold),
    "transfers": ("transfers", rows.Transfer),
    "stock": ("stock", rows.Stock),
    "shipped": ("movements", rows.Movement),
    "payments": ("payments", money_rows.Payment),
    "attempts": ("attempts", money_rows.Attempt),
    "refunds": ("refunds", money_rows.Refund),
    "ledger_lines": ("ledger", money_rows.LedgerLine),
    "products": ("products", rows.Product),
    "variants": ("variants", rows.Variant),
    "variants_of": ("variants", rows.Variant),
    "sku_stock": ("sku_stock", rows.SkuStock),
    "purchases": ("purchases", rows.Purchase),
    "notifications": ("notifications", rows.Notification),
    "erased_lately": ("erased", rows.Erased),
    "messages": ("messages", rows.Message),
    "users": ("people", rows.Person),
    "handled": ("handled", rows.Handled),
}
"""By the name of a table the field of the books, and what its rows are."""


async def asked(ask: Ask, domain: str, message: Any) -> Any:
    """A domain's answer; raises Away in its place."""
    try:
        return await ask(message, timeout_seconds=ASK_SECONDS_MAX)
    except ENDS as end:
        raise Away(domain, repr(end)) from end


async def read(ask: Ask, wanted: Wanted) -> dict[str, Any]:
    """The rows of some keys, by the fields of the books, and the latest `now` of all.

    Each domain's are of one moment; two domains' are not. Raises Away.
    """
    domains = [name for name, tables in wanted.items() if any(tables.values())]
    answers = await asyncio.gather(
        *(asked(ask, name, _query(name, wanted[name])) for name in domains)
    )
    found: dict[str, Any] = {}
    for answer in answers:
        found |= _fields(answer)
        found["now"] = max(answer.now, found.get("now", answer.now))
    return found


def _query(domain: str, tables: Mapping[str, Sequence[str]]) -> Any:
    keys = {name: tuple(some) for name, some in tables.items() if some}
    return read_books(domain)(keys=keys)


def _fields(answer: Rows) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, body in answer.tables.items():
        field, kind = FIELDS[name]
        found[field] = decode(list[kind], body)  # type: ignore[valid-type]
    return found


def as_books(found: Mapping[str, Any]) -> dict[str, Any]:
    """What is read, as far as it is a field of the books."""
    known = ("handled", "erased")
    return {name: value for name, value in found.items() if name not in known}


def convert(value: Any, kind: Any) -> Any:
    """A plain value as one of our own types."""
    return msgspec.convert(value, kind, strict=False)
