"""Payments over NATS: strict bodies, each command once by its key."""

import asyncio
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

import msgspec
import pytest

from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal
from bus.payments import SERVICES, payment_id_of
from tests.payments.support import settings_for

KEY = "a-key-of-16-characters"


def read(subject: str, body: dict[str, Any]) -> Any:
    """A request's body as its form takes it."""
    return msgspec.json.decode(msgspec.json.encode(body), type=SERVICES[subject])


async def say(s: Any, subject: str, **body: Any) -> Any:
    """Ask as the bridge does, whose ids follow from subject and key."""
    form = read(subject, body)
    key = form.idempotency_key
    once = uuid5(NAMESPACE_URL, f"nats:{subject}:{key}") if key else new_id()
    return await s.ask(form.to_message(), id=once, join=True)


async def add(s: Any, **body: Any) -> Any:
    values = {"method": "CREDIT_CARD", "token": "tok_visa", "idempotency_key": KEY}
    return await say(s, "payment.add-method", **{**values, **body})


async def give_back(s: Any, **body: Any) -> Any:
    values = {"reason": "broken", "idempotency_key": KEY}
    return await say(s, "payment.process-refund", **{**values, **body})


async def paid(s: Any) -> Any:
    order_id = new_id()
    money = {"amount": 1000, "currency": "USD"}
    result = await say(
        s,
        "payment.process",
        order_id=order_id,
        amount=money,
        method="CREDIT_CARD",
        token="tok_visa",
    )
    assert result.status == "SUCCEEDED"
    return order_id


async def test_a_method_that_is_added_twice_is_kept_once(shop, bank) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        person = new_id()
        views = await asyncio.gather(*(add(s, user_id=person) for _ in range(4)))
        assert len({view.id for view in views}) == 1
        other = await add(s, user_id=person, idempotency_key=KEY + "2")
        assert other.id != views[0].id
        rows = await s.rows("payments", "SELECT id FROM payment_methods")
        assert len(rows) == 2


@pytest.mark.parametrize("by", ["order", "payment"])
async def test_a_refund_that_is_asked_for_twice_goes_back_once(shop, bank, by) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        order_id = await paid(s)
        named = {
            "order": {"order_id": order_id},
            "payment": {"payment_id": payment_id_of(order_id)},
        }[by]
        some = {"amount": 300, "currency": "USD"}
        views = await asyncio.gather(
            *(give_back(s, amount=some, **named) for _ in range(4))
        )
        assert {view.status for view in views} == {"COMPLETED"}
        rest = await give_back(s, idempotency_key=KEY + "2", **named)
        assert rest.amount.amount == 700
        charges = [r for r in await bank.ledger(order_id) if r["type"] == "charge"]
        assert [row["refunded"] for row in charges] == [1000]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"token": "4111 1111 1111 1111"}, "card-number-refused"),
        ({"token": "tok_nobodys"}, "unknown-token"),
    ],
)
async def test_a_bad_method_leaves_nothing(shop, bank, change, code) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        with pytest.raises(Refusal) as refused:
            await add(s, user_id=new_id(), **change)
        assert refused.value.code == code
        assert await s.rows("payments", "SELECT id FROM payment_methods") == []


async def test_a_refund_names_one_thing_that_there_is(shop, bank) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        order_id = await paid(s)
        both = {"order_id": order_id, "payment_id": payment_id_of(order_id)}
        for named, code in (
            ({}, "one-id-required"),
            (both, "one-id-required"),
            ({"payment_id": uuid4()}, "not-found"),
            ({"order_id": uuid4()}, "not-found"),
            (
                {"order_id": order_id, "amount": {"amount": 2000, "currency": "USD"}},
                "refund-exceeds-capture",
            ),
        ):
            with pytest.raises(Refusal) as refused:
                await give_back(s, **named)
            assert refused.value.code == code
        assert await s.rows("payments", "SELECT id FROM refunds") == []


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("payment.add-method", {"user_id": str(uuid4()), "token": "tok_visa"}),
        ("payment.add-method", {"idempotency_key": "short"}),
        ("payment.process-refund", {"order_id": str(uuid4()), "reason": "x"}),
        (
            "payment.process-refund",
            {"order_id": str(uuid4()), "reason": "x", "idempotency_key": KEY, "to": 1},
        ),
        (
            "payment.process-refund",
            {
                "order_id": str(uuid4()),
                "reason": "x",
                "idempotency_key": KEY,
                "amount": {"amount": 0, "currency": "USD"},
            },
        ),
    ],
)
def test_a_body_that_is_not_as_it_must_be_is_refused(subject, body) -> None:
    with pytest.raises(msgspec.ValidationError):
        read(subject, body)
