"""Lines that are known to be sold out are refused before an order is made."""

from collections.abc import Callable, Iterable

from bus.inventory import (
    GetAvailability,
    StockReplenished,
    StockSoldOut,
    out_of_stock,
)
from bus.orders import WasPlaced
from serve_app.kit.facts import FACTS, Facts
from serve_app.kit.routing import Caller, ask
from serve_app.orders.router import router


def note_sold_out(facts: Facts, event: StockSoldOut) -> None:
    """The last piece is gone."""
    facts.note(event.sku)


def note_replenished(facts: Facts, event: StockReplenished) -> None:
    """There are pieces again."""
    facts.drop(event.sku)


router.hears(StockSoldOut, note_sold_out)
router.hears(StockReplenished, note_replenished)


async def refuse_sold_out(
    caller: Caller, buyer: Callable[[], str], skus: Iterable[str]
) -> None:
    """Refuse an order with a line that was sold out less than a second ago.

    Heard events name the lines; a fact that has grown old is asked for anew, which
    costs one query and no order. A key that was used before gets its first answer, so
    such a request passes. What is refused here has made nothing.
    """
    facts = FACTS.get()
    if facts is None or not len(facts):
        return
    known = [sku for sku in dict.fromkeys(skus) if sku in facts]
    if old := [sku for sku in known if not facts.is_fresh(sku)]:
        await _look_again(facts, old)
    gone = [(sku, 0) for sku in known if facts.is_fresh(sku)]
    if not gone:
        return
    if caller.key is not None:
        placed = await ask(WasPlaced(buyer=buyer(), command_id=caller.command_id()))
        if placed.known:
            return
    raise out_of_stock(*gone)


async def _look_again(facts: Facts, skus: list[str]) -> None:
    at = facts.now()
    found = (await ask(GetAvailability(skus=tuple(skus)))).available
    for sku in skus:
        if found[sku] > 0:
            facts.drop(sku)
        elif sku in facts:  # else it was heard to be there while we asked
            facts.note(sku, at)
