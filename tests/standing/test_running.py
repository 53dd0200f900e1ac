"""A shop that runs under audit: quiet while all is well, told once when it is not."""

import asyncio
from uuid import UUID

import asyncpg
import pytest
import structlog

from actors.auditing.standing import Auditor, alert_id
from bus.kit.addressing import derived_id, new_id
from bus.kit.refusals import Refusal, Unavailable, Unknown
from bus.kit.settings import Settings
from bus.orders import PlaceOrder, WantedLine
from bus.users import CreateAccount, Role
from scripts.auditing.place import consumed_kinds
from tests.audit.plants import PLANTS
from tests.audit.shop import HOME, SHARDS
from tests.kit.local import LocalShop
from tests.standing.planted import planted
from tests.standing.watching import SHARE, Watched

PLANT = next(one for one in PLANTS if one.name == "order-paid:paid, and does not know")
STOCK = next(one for one in PLANTS if one.name == "stock-movements:the row")
LOADED_SECONDS = 15.0

pytestmark = pytest.mark.full


async def ordered(shop: LocalShop, number: int) -> None:
    """One order of a guest; a domain that is away refuses it."""
    command = PlaceOrder(
        buyer=new_id().hex,
        user_id=None,
        shipping_address=HOME,
        method="CREDIT_CARD",
        token="tok_visa" if number % 4 else "tok_declined",
        items=(WantedLine(sku="MANY" if number % 3 else "FEW", quantity=1),),
        email=f"guest{number}@example.com",
    )
    try:
        await shop.ask(command, id=new_id(), timeout_seconds=30)
    except (Refusal, Unavailable, Unknown):
        return  # short of stock, or not in time: as a shop is


async def loaded(shop: LocalShop, seconds: float) -> int:
    """Orders by eight at a time, for so long; how many."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    count = 0
    while loop.time() < end:
        await asyncio.gather(*(ordered(shop, count + n) for n in range(8)))
        count += 8
    return count


async def never_found(watched: Watched, until: asyncio.Task[int]) -> None:
    while not until.done():
        assert watched.standing() == set()
        await asyncio.sleep(0.05)


async def test_a_shop_under_load_is_without_a_finding(watched: Watched) -> None:
    load = asyncio.create_task(loaded(watched.shop, LOADED_SECONDS))
    await never_found(watched, load)
    assert await load > 0
    await asyncio.sleep(8)
    assert watched.standing() == set()
    looks = {
        sample.labels: sample.values[0]
        for sample in watched.auditor.counts.samples()
        if sample.family == "souk_audit_looks_total"
    }
    assert all(looks[("unit", unit),] > 0 for unit in ("order", "sku", "event"))


@pytest.mark.parametrize("domain", ["inventory", "payments", "notifications"])
async def test_a_domain_that_is_frozen_or_killed_is_no_finding(
    watched: Watched, domain: str
) -> None:
    shop = watched.shop
    frozen = shop.transport.frozen
    load = asyncio.create_task(loaded(shop, LOADED_SECONDS))
    await asyncio.sleep(2)
    for number in range(SHARDS):
        frozen[domain, number] = asyncio.Event()
    await asyncio.sleep(3)
    for number in range(SHARDS):
        thaw = frozen.pop((domain, number), None)
        if thaw is not None:  # else it was replaced meanwhile
            thaw.set()
    await asyncio.sleep(2)
    await shop.kill(domain, 0)
    await asyncio.sleep(1)
    await shop.restart(domain, 0)
    await never_found(watched, load)
    await asyncio.sleep(8)
    assert watched.standing() == set()


async def test_administrators_are_told_once_and_no_more_when_it_is_mended(
    watched: Watched,
) -> None:
    admin = new_id()
    await watched.shop.ask(
        CreateAccount(
            user_id=admin,
            email=f"{admin}@example.com",
            password="a-Long-enough-pass-phrase-7",
            first_name="Mary",
            last_name="Somerville",
            role=Role.ADMIN,
        ),
        timeout_seconds=30,
    )
    async with planted(watched.sold, PLANT):
        await watched.until(lambda: bool(watched.standing()))
        [found] = watched.standing()
        about = str(watched.sold.ids["confirmed"])
        said = "EXPIRED: captured 2000, holds 0 of 2000"
        assert found == ("order-paid", about, said)
        await watched.until(lambda: not watched.auditor.findings.untold())
        await asyncio.sleep(3)
    await watched.until(lambda: watched.standing() == set())
    assert await told(watched, admin) == [
        (
            derived_id(alert_id(found), "notification", admin),
            "The books disagree: order-paid",
        )
    ]


async def told(watched: Watched, user_id: UUID) -> list[tuple[UUID, str]]:
    """The alerts of the audit that a person was given."""
    sql = "SELECT id, title FROM notifications WHERE user_id = $1 AND title LIKE $2"
    rows = await watched.shop.rows("notifications", sql, user_id, "The books%")
    return [(row["id"], row["title"]) for row in rows]


async def test_an_auditor_that_starts_anew_finds_what_was_there_before(
    watched: Watched,
) -> None:
    settings: Settings = watched.shop.settings.changed(
        shards_each=SHARDS, audit_seconds=0.2
    )
    async with planted(watched.sold, STOCK):
        auditor = Auditor(
            watched.shop.ask,
            settings,
            consumed_kinds(),
            log=structlog.get_logger(),
            share=SHARE,
        )
        running = asyncio.create_task(auditor.run())
        await watched.until(lambda: bool(auditor.findings.standing()))
        running.cancel()
        await asyncio.wait({running})
        warehouse = await watched.shop.rows(
            "inventory", "SELECT warehouse_id FROM stock WHERE sku = 'MANY'"
        )
        places = {f"MANY {row['warehouse_id']}" for row in warehouse}
        found = set(auditor.findings.standing())
        assert {check for check, _, _ in found} == {"stock-movements"}
        assert {ids for _, ids, _ in found} == places
    await watched.until(lambda: watched.standing() == set())


async def test_what_is_written_while_the_look_is_on_is_seen_by_the_next(
    watched: Watched,
) -> None:
    """A transaction that commits late is not skipped by the cursor."""
    connection = await asyncpg.connect(watched.sold.urls["orders"])
    about = watched.sold.ids["confirmed"]
    try:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("UPDATE orders SET attempt = 0 WHERE id = $1", about)
        await asyncio.sleep(1.5)  # others write and commit meanwhile, later ids
        await ordered(watched.shop, 1)
        await asyncio.sleep(2)
        await transaction.commit()
        await watched.until(lambda: bool(watched.standing()))
        said = "attempt 1 was made, 0 began"
        assert watched.standing() == {("order-attempts", str(about), said)}
    finally:
        await connection.execute("UPDATE orders SET attempt = 1 WHERE id = $1", about)
        await connection.close()
    await watched.until(lambda: watched.standing() == set())
