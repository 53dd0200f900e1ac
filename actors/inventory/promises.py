"""Promises while they are decided: the holds of a round beside its stock."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from actors.inventory.ledger import Ledger, changed
from bus.kit.messages import Message
from bus.kit.refusals import Refusal
from bus.kit.values import Done
from persistence import inventory as store
from persistence.inventory import Hold, Stock
from persistence.kit.transaction import Tx

M = TypeVar("M", bound=Message)

HELD, COMMITTED, RELEASED, MOVED = "HELD", "COMMITTED", "RELEASED", "MOVED"

Decide = Callable[[M, Hold | None, Ledger], Hold | Refusal]


async def decide_each(
    tx: Tx,
    messages: Sequence[M],
    decide: Decide[M],
    reply: Callable[[M, Hold, Stock], object],
    *,
    holder: str = "order_id",
    quiet: bool = False,
) -> list[Any]:
    """Decide a round in memory, one message after another, then write it at once.

    `holder` names the field that says whom pieces are promised to. A `quiet` round
    tells no alert: what it takes away comes back in a moment.
    """
    keys = [(getattr(m, holder), m.sku) for m in messages]  # type: ignore[attr-defined]
    holds, generation = await store.load_holds(tx, keys)
    stocks = await store.load_stock(tx, {sku for _, sku in keys}, generation)
    ledger = Ledger(tx, stocks, generation)
    before = dict(holds)
    answers: list[Any] = []
    for message, key in zip(messages, keys, strict=True):
        hold = decide(message, holds.get(key), ledger)
        if isinstance(hold, Refusal):
            answers.append(hold)
            continue
        if not quiet:
            ledger.tell_level(key[1])
        holds[key] = hold
        answers.append(reply(message, hold, ledger.stocks[key[1]]))
    await ledger.save([hold for key, hold in holds.items() if before.get(key) != hold])
    return answers


def promise(ledger: Ledger, sku: str, parts: dict[UUID, int], **why: Any) -> None:
    """Promise pieces of these warehouses."""
    for warehouse_id, pieces in parts.items():
        row = changed(ledger.row(sku, warehouse_id), reserved=pieces)
        ledger.move(sku, row, kind="RESERVE", **why)


def give_back(ledger: Ledger, hold: Hold, **why: Any) -> Hold:
    """Promise what is left of a hold no longer."""
    for warehouse_id, pieces in hold.parts.items():
        row = changed(ledger.row(hold.sku, warehouse_id), reserved=-pieces)
        ledger.move(hold.sku, row, kind="RELEASE", **why)
    return msgspec.structs.replace(hold, state=RELEASED, parts={})


def tombstone(order_id: UUID, sku: str, attempt: int = 1) -> Hold:
    """What stops a hold that comes after it was given back."""
    return Hold(order_id=order_id, sku=sku, attempt=attempt, state=RELEASED, quantity=0)


def done(_: Message, __: Hold, ___: Stock) -> Done:
    """The reply that has nothing to tell."""
    return Done()
