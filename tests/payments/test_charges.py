"""Charges: once, whatever is late, twice, overlapping, silent or killed."""

import asyncio
import time
from typing import Any

import pytest

from bus.kit.addressing import new_id
from bus.kit.context import CURRENT, Context
from bus.kit.refusals import Refusal
from bus.kit.values import Money
from bus.payments import AttemptStatus, GetPayment, ListPayments, payment_id_of
from tests.orders.support import eventually
from tests.payments.support import charge, insist, settings_for, until

SUCCEEDED = AttemptStatus.SUCCEEDED


async def books(s: Any) -> None:
    """Every transaction of the ledger sums to zero and agrees with the payments."""
    assert (
        await s.rows(
            "payments",
            "SELECT transaction_id FROM ledger_lines GROUP BY 1"
            " HAVING sum(amount_minor) <> 0 OR count(*) <> 2",
        )
        == []
    )
    assert (
        await s.rows(
            "payments",
            """SELECT id FROM payments LEFT JOIN (
                 SELECT payment_id, sum(amount_minor) AS owed FROM ledger_lines
                 WHERE account = 'provider_receivable' GROUP BY 1) AS booked
               ON booked.payment_id = payments.id
               WHERE captured_minor - refunded_minor <> coalesce(owed, 0)""",
        )
        == []
    )


async def attempts(s: Any) -> list[tuple[int, str]]:
    rows = await s.rows("payments", "SELECT number, status FROM attempts ORDER BY 1")
    return [(row["number"], row["status"]) for row in rows]


async def opened(s: Any) -> None:
    """Wait for the first attempt; the bank takes longer."""

    async def begun() -> bool:
        return bool(await attempts(s))

    await eventually(begun)


async def timers(s: Any) -> list[str]:
    """What attempts and refunds still wait for."""
    sql = "SELECT name FROM due WHERE name ~ '^(attempt|refund):'"
    return [row["name"] for row in await s.rows("payments", sql)]


async def told(s: Any) -> list[str]:
    return [event["type"].split(".")[1] for event in await s.events("payments")]


async def settled(s: Any, payment_id: Any, seconds: float = 10) -> str:
    async def done() -> str | None:
        status = (await s.ask(GetPayment(payment_id=payment_id))).status
        return None if status in ("UNKNOWN", "PENDING") else status

    return str(await until(done, seconds))


@pytest.mark.parametrize("shards", [1, 3])
async def test_many_charges_each_take_their_money_once(shop, bank, shards) -> None:
    async with shop("payments", shards=shards, settings=settings_for(bank)) as s:
        asked = [charge() for _ in range(60)]
        results = await asyncio.gather(*(s.ask(c) for c in asked))
        assert {r.status for r in results} == {SUCCEEDED}
        assert [r.payment_id for r in results] == [
            payment_id_of(c.order_id) for c in asked
        ]
        ledger = {row.get("order_id"): row for row in await bank.ledger()}
        assert all(ledger[str(c.order_id)]["captured"] == 1999 for c in asked)
        assert await told(s) == ["payment_succeeded"] * 60
        assert await timers(s) == []
        await books(s)


async def test_a_charge_twice_late_and_overlapping_is_one_charge(shop, bank) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        asked = charge("tok_slow_300")
        results = await asyncio.gather(*(s.ask(asked) for _ in range(5)))
        late = await s.ask(asked)
        assert {r.status for r in (*results, late)} == {SUCCEEDED}
        assert await attempts(s) == [(1, "SUCCEEDED")]
        assert len(await bank.ledger(asked.order_id)) == 1
        assert await told(s) == ["payment_succeeded"]
        await books(s)


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("tok_declined", "card-declined"),
        ("tok_insufficient_funds", "insufficient-funds"),
    ],
)
async def test_a_declined_charge_may_be_tried_again(shop, bank, token, code) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        asked = charge(token)
        result = await s.ask(asked)
        assert (result.status, result.decline_code) == ("DECLINED", code)
        again = await s.ask(asked)
        assert again == result
        second = await s.ask(charge(order_id=asked.order_id, attempt=2))
        assert second.status == SUCCEEDED
        with pytest.raises(Refusal) as refused:
            await s.ask(charge(order_id=asked.order_id, attempt=3))
        assert refused.value.code == "already-paid"
        assert await attempts(s) == [(1, "DECLINED"), (2, "SUCCEEDED")]
        assert await told(s) == ["payment_failed", "payment_succeeded"]
        (payment,) = (await s.ask(ListPayments(order_id=asked.order_id))).items
        assert payment.captured == Money(1999, "USD")
        assert [a.captured.amount for a in payment.attempts] == [0, 1999]
        await books(s)


async def test_two_attempts_are_never_open_at_once(shop, bank) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        order_id = new_id()
        first = asyncio.create_task(
            s.ask(charge("tok_slow_500", order_id=order_id, attempt=1))
        )
        await asyncio.sleep(0.2)
        with pytest.raises(Refusal) as refused:
            await s.ask(charge(order_id=order_id, attempt=2))
        assert refused.value.code == "payment-in-progress"
        assert (await first).status == SUCCEEDED
        assert len(await bank.ledger(order_id)) == 1


async def test_a_refused_charge_leaves_nothing(shop, bank) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        asked = charge(amount=Money(5, "EUR"))
        with pytest.raises(Refusal) as refused:
            await s.ask(asked)
        assert refused.value.code == "currency-mismatch"
        assert await s.rows("payments", "SELECT * FROM payments") == []
        assert await bank.ledger(asked.order_id) == []


@pytest.mark.usefixtures("hasty")
async def test_an_unknown_outcome_is_asked_again_with_the_same_key(shop, bank) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        asked = charge("tok_timeout")
        result = await s.ask(asked)
        assert result.status == "UNKNOWN"
        assert (await s.ask(asked)).status == "UNKNOWN"
        with pytest.raises(Refusal) as refused:
            await s.ask(charge(order_id=asked.order_id, attempt=2))
        assert refused.value.code == "payment-in-progress"
        assert await told(s) == []
        assert await settled(s, result.payment_id) == "SUCCEEDED"
        assert len(await bank.ledger(asked.order_id)) == 1
        assert await told(s) == ["payment_succeeded", "payment_settled"]
        assert (await s.ask(asked)).status == SUCCEEDED
        await books(s)


@pytest.mark.parametrize(
    "faults",
    [
        {"silent": True},
        {"refuse": True},
        {"error_rate": 1.0},
        {"wrong": "amount"},
        {"wrong": "key"},
        {"wrong": "garbage"},
        {"wrong": "status"},
    ],
)
@pytest.mark.usefixtures("hasty")
async def test_a_bank_that_fails_is_asked_until_it_is_well(shop, bank, faults) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        await bank.faults(**faults)
        asked = charge()
        result = await s.ask(asked)
        assert result.status == "UNKNOWN"
        await bank.faults()
        assert await settled(s, result.payment_id) == "SUCCEEDED"
        rows = await bank.ledger(asked.order_id)
        assert [row["captured"] for row in rows] == [1999]
        await books(s)


async def test_a_bank_that_says_it_twice_takes_it_once(shop, bank) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        await bank.faults(wrong="twice")
        assert (await s.ask(charge())).status == SUCCEEDED
        await books(s)


@pytest.mark.usefixtures("hasty")
async def test_a_stopped_bank_charges_when_it_is_back(shop, bank) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        bank.stop(kill=True)
        asked = charge()
        result = await s.ask(asked)
        assert result.status == "UNKNOWN"
        bank.start()
        await bank.ready()
        assert await settled(s, result.payment_id, 20) == "SUCCEEDED"
        assert len(await bank.ledger(asked.order_id)) == 1


@pytest.mark.parametrize("after_seconds", [0.05, 0.15, 0.4])
@pytest.mark.usefixtures("hasty")
async def test_a_shard_killed_while_the_bank_is_asked_charges_once(
    shop, bank, after_seconds
) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        asked = charge("tok_slow_300")
        waiting = asyncio.create_task(insist(s, asked))
        await asyncio.sleep(after_seconds)
        await s.kill("payments")
        await asyncio.sleep(0.2)
        await s.restart("payments")
        assert (await waiting).status == SUCCEEDED
        assert await attempts(s) == [(1, "SUCCEEDED")]
        assert len(await bank.ledger(asked.order_id)) == 1
        assert await told(s) == ["payment_succeeded"]
        await books(s)


async def test_an_attempt_that_nobody_waits_for_is_settled_at_the_next_start(
    shop, bank
) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        asked = charge("tok_slow_900")
        waiting = asyncio.create_task(s.ask(asked))
        await opened(s)
        waiting.cancel()
        await s.kill("payments")
        assert await attempts(s) == [(1, "OPEN")]
        await s.restart("payments")
        payment_id = payment_id_of(asked.order_id)
        assert await settled(s, payment_id, 5) == "SUCCEEDED"
        assert len(await bank.ledger(asked.order_id)) == 1
        assert await timers(s) == []
        await books(s)


@pytest.mark.usefixtures("hasty")
async def test_an_attempt_that_nobody_waits_for_is_settled_by_its_timer(
    shop, bank, monkeypatch
) -> None:
    monkeypatch.setattr("actors.payments.attempts.RESCUE_SECONDS", 0.5)
    async with shop("payments", settings=settings_for(bank)) as s:
        asked = charge("tok_slow_900")
        asking = asyncio.create_task(s.ask(asked))
        await opened(s)
        asking.cancel()
        s.shard("payments").processes.stop()
        assert await attempts(s) == [(1, "OPEN")]
        assert await settled(s, payment_id_of(asked.order_id)) == "SUCCEEDED"
        assert len(await bank.ledger(asked.order_id)) == 1


@pytest.mark.full
async def test_slow_charges_delay_no_fresh_ones(shop, bank) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        slow = [asyncio.create_task(s.ask(charge("tok_slow_3000"))) for _ in range(64)]
        await asyncio.sleep(0.2)
        begin = time.monotonic()
        fresh = await asyncio.gather(*(s.ask(charge("tok_slow_10")) for _ in range(64)))
        assert time.monotonic() - begin < 1.5
        assert {r.status for r in fresh} == {SUCCEEDED}
        assert not any(task.done() for task in slow)
        assert {r.status for r in await asyncio.gather(*slow)} == {SUCCEEDED}


@pytest.mark.usefixtures("hasty")
async def test_the_token_is_never_in_clear_and_gone_when_settled(shop, bank) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        await s.ask(charge("tok_timeout"))
        (row,) = await s.rows("payments", "SELECT sealed FROM attempts")
        assert "tok_timeout" not in row["sealed"]
        await s.ask(charge())
        rows = await s.rows(
            "payments", "SELECT sealed FROM attempts WHERE status = 'SUCCEEDED'"
        )
        assert [row["sealed"] for row in rows] == [None]
        for table in ("due", "handled", "outbox"):
            text = str(await s.rows("payments", f"SELECT * FROM {table}"))
            assert "tok_" not in text


async def test_the_ledger_refuses_lines_that_do_not_sum_to_zero(shop, bank) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        connection = await s.database("payments")
        with pytest.raises(Exception, match="do not sum to zero"):
            await connection.execute(
                "INSERT INTO ledger_lines VALUES ($1, 1, $1, 'sales', 5, 'USD', now())",
                new_id(),
            )


async def test_facts_of_charges_that_close_together_keep_each_its_trace(
    shop, bank
) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        traces = {}

        async def traced(number: int) -> None:
            asked = charge()
            trace = f"00-{number:032x}-{number:016x}-01"
            traces[str(asked.order_id)] = trace
            CURRENT.set(Context(traceparent=trace))
            await s.ask(asked)

        await asyncio.gather(*(traced(number) for number in range(1, 31)))
        told = {
            event["data"]["order_id"]: event.get("traceparent")
            for event in await s.events("payments")
        }
        assert told == traces
