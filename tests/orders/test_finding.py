"""Finding an order again: a link by mail to whom it belongs, and nothing to others."""

import asyncio
import hashlib
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

import pytest

from bus.kit.addressing import new_id
from bus.kit.values import Done
from bus.messaging import SendEmail
from bus.orders import (
    CancelOrder,
    GetOrder,
    LookUpOrder,
    OrderStatus,
    PlaceOrder,
    Viewer,
    WantedLine,
)
from tests.kit.local import local_shop
from tests.orders.fakes import ADDRESS, FakeMessaging, FakeUsers, order_of, people
from tests.orders.support import (
    come_due,
    eventually,
    forget,
    refused,
    seen,
    selling,
)

AGED = """UPDATE orders SET links = (SELECT coalesce(jsonb_agg(jsonb_set(link, '{at}',
    to_jsonb(to_char(((link->>'at')::timestamptz - $2::interval) AT TIME ZONE 'UTC',
      'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')))), '[]') FROM jsonb_array_elements(links) link)
    WHERE id = $1"""


@pytest.fixture(scope="module", params=[1, pytest.param(3, marks=pytest.mark.full)])
async def s(databases, request):
    make = partial(local_shop, databases)
    async with selling(make, shards=request.param, known=people(), A=500) as shop:
        yield shop


async def guests_order(s, email="gus@example.com"):
    """An order of a guest's, as it is stored."""
    token = new_id().hex
    placed = await s.ask(
        PlaceOrder(
            buyer=hashlib.sha256(token.encode()).hexdigest(),
            user_id=None,
            shipping_address=ADDRESS,
            method="CREDIT_CARD",
            token="tok_visa",
            items=(WantedLine(sku="A", quantity=1),),
            email=email,
            token_hash=sha(token),
        )
    )
    return await seen(s, placed.order_id), token


def sha(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def mails_of(order) -> list[SendEmail]:
    mails = FakeMessaging.mails.values()
    return [m for m in mails if m.data["number"] == order.number]


def token_of(mail: SendEmail) -> str:
    return str(mail.data["link"]).partition("#order_token=")[2]


async def look_up(s, number, email, **options):
    return await s.ask(LookUpOrder(number=number, email=email), **options)


async def mailed(s, order, count=1) -> list[SendEmail]:
    async def there() -> bool:
        return len(mails_of(order)) >= count

    await eventually(there)
    return mails_of(order)


async def at_rest(s) -> None:
    """No process of orders runs: what was asked for has been looked for."""

    async def rests() -> bool:
        shards = range(s.shard_count)
        return not any(s.shard("orders", n).processes.running for n in shards)

    await eventually(rests)


async def test_number_and_address_of_a_guest_get_a_link_that_opens_the_order(s) -> None:
    order, first = await guests_order(s)
    assert await look_up(s, order.number, "gus@example.com") == Done()
    (mail,) = await mailed(s, order)
    assert (mail.to, mail.template, mail.priority, mail.locale) == (
        "gus@example.com",
        "order_lookup",
        "security",
        "en",
    )
    base = f"http://127.0.0.1:3000/orders/{order.id}#order_token="
    assert mail.data["link"].startswith(base) and len(token_of(mail)) == 43
    for token in (first, token_of(mail)):
        viewer = Viewer(token_hash=sha(token))
        assert (await s.ask(GetOrder(order_id=order.id, viewer=viewer))).id == order.id
    forged = Viewer(token_hash=sha("x" * 43))
    assert await refused(s.ask(GetOrder(order_id=order.id, viewer=forged))) == (
        "not-found"
    )
    cancel = CancelOrder(
        order_id=order.id, viewer=Viewer(token_hash=sha(token_of(mail)))
    )
    await s.ask(cancel)
    assert (await seen(s, order.id)).status is OrderStatus.CANCELLED


async def test_the_order_of_an_account_is_found_by_the_accounts_address(s) -> None:
    ada = new_id()
    FakeUsers.emails[ada] = "ada@example.com"
    order = await seen(s, (await s.ask(order_of(ada, ("A", 1)))).order_id)
    await look_up(s, order.number, "ada@example.com")
    (mail,) = await mailed(s, order)
    assert (mail.to, mail.user_id) == ("ada@example.com", ada)
    assert mail.locale == "de"


async def test_whoever_does_not_know_both_learns_nothing(s) -> None:
    order, _ = await guests_order(s)
    ada, erased = new_id(), new_id()
    FakeUsers.emails[ada] = "ada@example.com"
    hers = await seen(s, (await s.ask(order_of(ada, ("A", 1)))).order_id)
    nobodys = await seen(s, (await s.ask(order_of(erased, ("A", 1)))).order_id)
    before = len(FakeMessaging.mails)
    for number, email in (
        ("000-000-000", "gus@example.com"),
        (order.number, "ada@example.com"),
        (hers.number, "gus@example.com"),
        (nobodys.number, "ada@example.com"),
    ):
        assert await look_up(s, number, email) == Done()
    await at_rest(s)
    assert len(FakeMessaging.mails) == before


async def test_the_answer_does_not_wait_for_what_is_found(s) -> None:
    order, _ = await guests_order(s)
    held = asyncio.Event()
    shards = [s.shard("orders", number) for number in range(s.shard_count)]

    @asynccontextmanager
    async def slow(read):
        await held.wait()
        async with read() as db:
            yield db

    for shard in shards:
        shard.domain.read = partial(slow, shard.database.read)
    try:
        assert await look_up(s, order.number, "gus@example.com") == Done()
        assert mails_of(order) == []
    finally:
        held.set()
        for shard in shards:
            shard.domain.read = shard.database.read
    await mailed(s, order)


async def test_an_order_gets_three_links_an_hour_and_five_of_them_work(s) -> None:
    order, first = await guests_order(s)
    for _ in range(5):
        await look_up(s, order.number, "gus@example.com")
        await at_rest(s)
    assert len(mails_of(order)) == 3
    await forget(s, AGED, order.id, timedelta(hours=1))
    for _ in range(3):
        await look_up(s, order.number, "gus@example.com")
        await at_rest(s)
    mails = mails_of(order)
    assert len(mails) == 6
    works = [first, *(token_of(mail) for mail in mails[1:])]
    for token in works:
        viewer = Viewer(token_hash=sha(token))
        await s.ask(GetOrder(order_id=order.id, viewer=viewer))
    oldest = Viewer(token_hash=sha(token_of(mails[0])))
    assert await refused(s.ask(GetOrder(order_id=order.id, viewer=oldest))) == (
        "not-found"
    )
    assert len({token_of(mail) for mail in mails}) == 6


async def test_a_link_works_for_thirty_days(s) -> None:
    order, first = await guests_order(s)
    await look_up(s, order.number, "gus@example.com")
    (mail,) = await mailed(s, order)
    await at_rest(s)
    await forget(s, AGED, order.id, timedelta(days=30))
    await come_due(s, f"links:{order.id}")
    viewer = Viewer(token_hash=sha(token_of(mail)))

    async def ended() -> bool:
        rows = await s.rows("orders", "SELECT links FROM orders WHERE id=$1", order.id)
        return rows == [{"links": "[]"}]

    await eventually(ended)
    assert await refused(s.ask(GetOrder(order_id=order.id, viewer=viewer))) == (
        "not-found"
    )
    viewer = Viewer(token_hash=sha(first))
    await s.ask(GetOrder(order_id=order.id, viewer=viewer))


async def test_a_request_that_is_repeated_mails_once(s) -> None:
    order, _ = await guests_order(s)
    command_id = new_id()
    for _ in range(3):
        await look_up(s, order.number, "gus@example.com", id=command_id)
    await at_rest(s)
    assert len(mails_of(order)) == 1


async def test_neither_token_nor_address_rests_anywhere_but_in_the_order(s) -> None:
    order, _ = await guests_order(s, "very.private@example.com")
    await look_up(s, order.number, "very.private@example.com")
    (mail,) = await mailed(s, order)
    await at_rest(s)
    for table in ("handled", "outbox", "due", "timeline"):
        text = f"SELECT count(*) AS n FROM {table} AS t WHERE t::text LIKE $1"
        for secret in (token_of(mail), "very.private"):
            packed = secret.encode().hex()
            for word in (f"%{secret}%", f"%{packed}%"):
                assert await s.rows("orders", text, word) == [{"n": 0}]
