"""Reconciliation: the ledger beside the bank's own list, each difference found once."""

import asyncio
import datetime as dt
from typing import Any
from uuid import UUID, uuid4

import pytest

from actors.payments import Payments
from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal, Unavailable
from bus.payments import (
    GetPayment,
    ListReconciliations,
    Reconcile,
    ReconciliationView,
    RefundOrder,
    payment_id_of,
)
from tests.payments.support import Bank, at_bank, charge, settings_for, until
from tests.payments.test_charges import books, told

_COPY = (
    "INSERT INTO charges (key, amount, currency, token, order_id, attempt, status,"
    " captured, reference, answer_at) VALUES ($1, $2, 'USD', 'tok_visa', $3, 1,"
    " 'succeeded', $2, $4, now())"
)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also what was moved this very moment is compared."""
    monkeypatch.setattr(Payments, "reconcile_lag", dt.timedelta(0))


@pytest.fixture
async def own_bank(bank: Bank) -> Bank:
    """The bank without what the tests before have moved there."""
    await at_bank(bank, "TRUNCATE charges, refunds, moves, webhooks")
    return bank


async def paid(s: Any) -> tuple[UUID, UUID]:
    """The order, and the key of its charge."""
    asked = charge()
    assert (await s.ask(asked)).status == "SUCCEEDED"
    (row,) = await s.rows(
        "payments",
        "SELECT key FROM attempts WHERE payment_id = $1",
        payment_id_of(asked.order_id),
    )
    return asked.order_id, row["key"]


async def reconcile(s: Any) -> ReconciliationView:
    view: ReconciliationView = await s.ask(
        Reconcile(provider="sandbox"), timeout_seconds=20
    )
    return view


def found(view: ReconciliationView) -> list[tuple[str, str]]:
    return sorted((one.kind.value, one.transaction) for one in view.discrepancies)


async def mismatches(s: Any) -> int:
    return (await told(s)).count("reconciliation_mismatch")


async def test_books_that_agree_have_no_discrepancy(shop, own_bank) -> None:
    async with shop("payments", shards=2, settings=settings_for(own_bank)) as s:
        for _ in range(3):
            await paid(s)
        order_id, _ = await paid(s)
        await s.ask(RefundOrder(order_id=order_id, refund_id=new_id(order_id)))
        await s.ask(charge("tok_declined"))
        await s.ask(charge("tok_pending_60000"))
        view = await reconcile(s)
        assert (view.transactions, view.matched, view.found) == (7, 5, 0)
        page = await s.ask(ListReconciliations())
        assert [one.id for one in page.items] == [view.id]
        again = await reconcile(s)
        assert (again.matched, again.found) == (5, 0)
        assert again.since <= view.until
        assert await mismatches(s) == 0
        audit = """SELECT entity, actor, after ->> 'matched' AS matched FROM audit
                   WHERE action = 'payments.close_reconcile'"""
        entry = {"entity": "sandbox", "actor": "system", "matched": "5"}
        assert await s.rows("payments", audit) == [entry, entry]


async def test_money_that_the_ledger_does_not_know_is_found(shop, own_bank) -> None:
    async with shop("payments", settings=settings_for(own_bank)) as s:
        await paid(s)
        key, by_hand = str(uuid4()), "by-hand"
        await at_bank(own_bank, _COPY, key, 500, "nobody", "ch_x")
        await at_bank(own_bank, _COPY, by_hand, 700, "nobody", "ch_hand")
        view = await reconcile(s)
        assert found(view) == sorted(("MISSING_HERE", one) for one in (key, "ch_hand"))
        assert (view.matched, await mismatches(s)) == (1, 2)
        assert (await reconcile(s)).found == 2
        assert await mismatches(s) == 2  # each is told once


async def test_money_that_the_bank_never_moved_is_found(shop, own_bank) -> None:
    async with shop("payments", settings=settings_for(own_bank)) as s:
        _, kept = await paid(s)
        order_id, key = await paid(s)
        refund_id = new_id(order_id)
        await s.ask(RefundOrder(order_id=order_id, refund_id=refund_id))
        await at_bank(own_bank, "DELETE FROM charges WHERE key = $1", str(key))
        await at_bank(own_bank, "DELETE FROM refunds")
        view = await reconcile(s)
        assert found(view) == sorted(
            ("MISSING_THERE", str(one)) for one in (key, refund_id)
        )
        assert {one.payment_id for one in view.discrepancies} == {
            payment_id_of(order_id)
        }
        assert {one.here.amount for one in view.discrepancies} == {1999, -1999}
        assert view.matched == 1 and kept != key


async def test_another_amount_is_found_and_resolved(shop, own_bank) -> None:
    async with shop("payments", settings=settings_for(own_bank)) as s:
        _, key = await paid(s)
        less = "UPDATE charges SET captured = $2 WHERE key = $1"
        await at_bank(own_bank, less, str(key), 1998)
        view = await reconcile(s)
        assert found(view) == [("AMOUNT_DIFFERS", str(key))]
        (one,) = view.discrepancies
        assert (one.here.amount, one.there.amount) == (1999, 1998)
        await at_bank(own_bank, less, str(key), 1999)
        assert (await reconcile(s)).found == 0
        (row,) = await s.rows("payments", "SELECT * FROM discrepancies")
        assert row["resolved_at"] is not None
        await at_bank(own_bank, less, str(key), 1998)
        assert (await reconcile(s)).found == 1
        assert await mismatches(s) == 2  # it came back, which is news


async def test_another_status_is_found_and_late_money_goes_back(shop, own_bank) -> None:
    async with shop("payments", settings=settings_for(own_bank)) as s:
        _, taken_back = await paid(s)
        asked = charge("tok_declined")
        await s.ask(asked)
        (row,) = await s.rows(
            "payments", "SELECT key FROM attempts WHERE status = 'DECLINED'"
        )
        await at_bank(
            own_bank,
            "UPDATE charges SET status = 'declined', captured = 0 WHERE key = $1",
            str(taken_back),
        )
        await at_bank(
            own_bank,
            "UPDATE charges SET status = 'succeeded', captured = amount WHERE key = $1",
            str(row["key"]),
        )
        view = await reconcile(s)
        assert found(view) == sorted(
            ("STATUS_DIFFERS", str(key)) for key in (taken_back, row["key"])
        )

        async def back() -> bool:
            payment_id = payment_id_of(asked.order_id)
            shown = await s.ask(GetPayment(payment_id=payment_id))
            return shown.status == "LATE" and shown.refunded.amount == 1999

        await until(back)
        await reconcile(s)
        rows = await s.rows(
            "payments",
            "SELECT transaction FROM discrepancies WHERE resolved_at IS NULL",
        )
        assert [one["transaction"] for one in rows] == [str(taken_back)]
        await books(s)


async def test_a_list_of_many_pages_is_compared_whole(
    shop, own_bank, monkeypatch
) -> None:
    monkeypatch.setattr("actors.payments.reconciling.PAGE_MAX", 3)
    async with shop("payments", settings=settings_for(own_bank)) as s:
        await asyncio.gather(*(paid(s) for _ in range(10)))
        many = _COPY.replace("VALUES ($1,", "SELECT $1 || n,").replace(
            "$4, now())", "$4 || n / 2, now() FROM generate_series(1, 250) AS n"
        )
        await at_bank(own_bank, many, "hand-", 5, "x", "ch_x")
        view = await reconcile(s)
        # The provider lists two transactions under each of its own ids.
        assert (view.transactions, view.matched, view.found) == (260, 10, 126)
        assert len(view.discrepancies) == 100


@pytest.mark.usefixtures("hasty")
async def test_what_is_on_its_way_is_no_discrepancy(shop, own_bank) -> None:
    async with shop("payments", settings=settings_for(own_bank)) as s:
        asked = charge("tok_timeout")
        await s.ask(asked)
        view = await reconcile(s)
        assert (view.transactions, view.found) == (1, 0)


async def test_two_comparisons_at_once_tell_a_difference_once(shop, own_bank) -> None:
    async with shop("payments", settings=settings_for(own_bank)) as s:
        await at_bank(own_bank, _COPY, "odd", 5, "x", "ch_odd")
        await asyncio.gather(*(reconcile(s) for _ in range(4)))
        command_id = new_id("sandbox")
        wish = Reconcile(provider="sandbox")
        views = [await s.ask(wish, id=command_id) for _ in range(2)]
        assert views[0].id == views[1].id
        assert await mismatches(s) == 1


async def test_a_bank_that_is_away_is_compared_from_there_the_next_time(
    shop, own_bank
) -> None:
    async with shop("payments", settings=settings_for(own_bank)) as s:
        first = await reconcile(s)
        await own_bank.faults(refuse=True)
        with pytest.raises(Unavailable):
            await reconcile(s)
        await own_bank.faults()
        again = await reconcile(s)
        assert again.since == first.until - dt.timedelta(hours=1)
        with pytest.raises(Refusal) as refused:
            await s.ask(Reconcile(provider="nobody"))
        assert refused.value.code == "not-found"


async def test_it_comes_by_itself_and_a_restart_puts_nothing_off(
    shop, own_bank
) -> None:
    async with shop("payments", shards=2, settings=settings_for(own_bank)) as s:

        async def timer() -> list[dict[str, Any]]:
            sql = "SELECT at FROM due WHERE name = 'reconcile:sandbox'"
            found: list[dict[str, Any]] = await s.rows("payments", sql)
            return found

        (before,) = await until(timer)
        for number in (0, 1):
            await s.kill("payments", number)
            await s.restart("payments", number)
        await asyncio.sleep(0.3)
        assert await timer() == [before]
        connection = await s.database("payments")
        await connection.execute(
            "UPDATE due SET at = now() WHERE name = 'reconcile:sandbox'"
        )

        async def compared() -> bool:
            return bool((await s.ask(ListReconciliations())).items)

        await until(compared)
        (after,) = await timer()
        assert after["at"] > before["at"]
