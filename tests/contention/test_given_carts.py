"""A guest cart that is merged while the guest still writes it."""

import asyncio
from typing import Any

from bus.kit.addressing import new_id
from bus.orders import MergeCart
from tests.contention.crowd import CLIENTS, Crowd, codes, each, seeds
from tests.contention.market import Market
from tests.contention.test_carts import LOGINS, add, guest_id, lines


@seeds
async def test_a_guest_cart_that_is_written_while_it_is_merged_loses_no_line(
    market: Market, crowd: Crowd
) -> None:
    before, *skus = await market.goods(*[50] * (CLIENTS - LOGINS + 1))
    guest, person = guest_id(), str(new_id())
    await add(market, guest, before, 7)
    written = asyncio.Semaphore(0)

    async def write(sku: str) -> None:
        await add(market, guest, sku, 3)
        written.release()

    async def log_in(after: int) -> None:
        if after:  # not before so many have written
            await written.acquire()
        await market.ask(MergeCart(buyer=person, guest=guest), id=new_id(person))

    clients: list[Any] = each(write, skus)
    clients += each(log_in, range(LOGINS))
    assert codes(await crowd.at_once(clients)) == []
    kept, left = await lines(market, person), await lines(market, guest)
    # What was written after the merge is in the guest's next cart.
    assert kept | left == {before: 7, **dict.fromkeys(skus, 3)}
    assert kept[before] == 7
    assert not kept.keys() & left.keys()
    await market.ask(MergeCart(buyer=person, guest=guest), id=new_id(person))
    assert await lines(market, person) == kept | left
    await market.check()
