"""A removed method goes at its provider, too: a minute later, once, or not at all."""

from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from cryptography.fernet import Fernet

from actors.payments.methods import LET_GO_TRIES_MAX
from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal
from bus.payments import AddMethod, ListMethods, RemoveMethod
from bus.users import UserErased
from tests.kit.faults import Doom
from tests.payments.doubles.stripe import Stripe
from tests.payments.support import settings_for, until
from tests.payments.tellers import settings_of

DUE = """SELECT round(extract(epoch FROM at - now()))::int AS seconds, message
         FROM due WHERE name LIKE 'let-go:%'"""
DETACH = "POST /v1/payment_methods/pm_visa/detach"


@asynccontextmanager
async def keeping(shop: Any, bank: Any) -> Any:
    """A shop that keeps cards at Stripe."""
    async with Stripe().served() as double:
        names = settings_of(double).model_fields_set
        values = settings_of(double).model_dump(include=names)
        settings = settings_for(bank).changed(**values)
        async with shop("payments", settings=settings) as s:
            yield s, double


async def kept(s: Any, user_id: UUID) -> RemoveMethod:
    """Keep the card for a person; how it is removed."""
    method_id = new_id(user_id)
    await s.ask(
        AddMethod(
            user_id=user_id, method_id=method_id, method="CREDIT_CARD", token="pm_visa"
        )
    )
    return RemoveMethod(user_id=user_id, method_id=method_id)


async def come_due(s: Any) -> None:
    """Let the time of letting go come now."""
    await s.rows("payments", "UPDATE due SET at = now() WHERE name LIKE 'let-go:%'")
    s.shard("payments").timers.expect(0)


async def nothing_due(s: Any) -> None:
    async def none() -> bool:
        return not await s.rows("payments", DUE)

    await until(none)


async def test_a_removed_card_is_detached_a_minute_later_once(shop, bank) -> None:
    async with keeping(shop, bank) as (s, double):
        remove = await kept(s, new_id())
        await s.ask(remove)
        with pytest.raises(Refusal, match="not-found"):
            await s.ask(remove)
        assert double.methods["pm_visa"]["customer"] is not None
        (row,) = await s.rows("payments", DUE)
        assert 55 <= row["seconds"] <= 60
        assert b"pm_visa" not in row["message"]
        await come_due(s)
        await nothing_due(s)
        assert double.methods["pm_visa"]["customer"] is None
        assert double.asked.count(DETACH) == 1


async def test_a_card_that_the_person_keeps_again_stays_attached(shop, bank) -> None:
    async with keeping(shop, bank) as (s, double):
        user_id = new_id()
        await s.ask(await kept(s, user_id))
        again = await kept(s, user_id)
        await come_due(s)
        await nothing_due(s)
        assert double.methods["pm_visa"]["customer"] is not None
        await s.ask(again)
        await come_due(s)
        await nothing_due(s)
        assert double.methods["pm_visa"]["customer"] is None


async def test_a_provider_that_is_away_is_asked_again_and_in_the_end_no_more(
    shop, bank
) -> None:
    async with keeping(shop, bank) as (s, double):
        await s.ask(await kept(s, new_id()))
        double.fault = "refuse"
        waits = []
        for _ in range(LET_GO_TRIES_MAX - 1):
            (before,) = await s.rows("payments", DUE)
            await come_due(s)

            async def put_off(said: bytes = before["message"]) -> list[Any]:
                rows = await s.rows("payments", DUE)
                return [row for row in rows if row["message"] != said]

            (row,) = await until(put_off)
            waits.append(row["seconds"])
        assert waits[:3] == [120, 240, 480]
        assert set(waits[9:]) == {21_600}
        await come_due(s)
        await nothing_due(s)
        assert double.methods["pm_visa"]["customer"] is not None


async def test_what_a_lost_key_has_sealed_is_let_be(shop, bank) -> None:
    async with keeping(shop, bank) as (s, double):
        await s.ask(await kept(s, new_id()))
        key = Fernet.generate_key().decode()
        s.settings = s.settings.changed(encryption_keys=key)
        await s.kill("payments")
        await s.restart("payments")
        await come_due(s)
        await nothing_due(s)
        assert DETACH not in double.asked


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_kill_while_it_is_let_go_changes_nothing(shop, bank, after) -> None:
    async with keeping(shop, bank) as (s, double):
        await s.ask(await kept(s, new_id()))
        doom = Doom(s.shard("payments"), 1, after=after)
        await come_due(s)
        await doom.reached.wait()
        await s.kill("payments")
        await s.restart("payments")
        await nothing_due(s)
        assert double.methods["pm_visa"]["customer"] is None


async def test_who_leaves_leaves_no_card_here_or_at_the_provider(shop, bank) -> None:
    async with keeping(shop, bank) as (s, double):
        user_id = new_id()
        await kept(s, user_id)
        for _ in range(2):
            gone = UserErased(user_id=user_id)
            await s.ask(gone, id=new_id(), domain="payments", join=True)
        assert (await s.ask(ListMethods(user_id=user_id))).items == ()
        (row,) = await s.rows("payments", DUE)
        assert b"pm_visa" not in row["message"]
        await come_due(s)
        await nothing_due(s)
        assert double.methods["pm_visa"]["customer"] is None
        with pytest.raises(Refusal, match="not-found"):
            await kept(s, user_id)
        assert double.methods["pm_visa"]["customer"] is None
        assert (await s.ask(ListMethods(user_id=user_id))).items == ()
