"""Stored methods: a person's own, encrypted, charged without showing their token."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet

from actors.payments.vault import Vault
from bus.kit.addressing import derived_id, new_id
from bus.kit.refusals import Refusal, Unavailable
from bus.kit.settings import SettingsError
from bus.payments import (
    METHODS_MAX,
    AddMethod,
    ListMethods,
    MethodFacts,
    RemoveMethod,
    Reseal,
    SetDefaultMethod,
)
from tests.payments.support import charge, settings_for, until


def method(user_id: Any, token: str = "tok_visa", **fields: Any) -> AddMethod:
    values = {"method_id": new_id(user_id), "method": "CREDIT_CARD", **fields}
    return AddMethod(user_id=user_id, token=token, **values)


async def test_a_method_is_kept_encrypted_and_shown_without_its_token(
    shop, bank
) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        view = await s.ask(method(new_id()))
        assert (view.brand, view.last4, view.exp_year) == ("visa", "4242", 2034)
        assert view.is_default
        (row,) = await s.rows("payments", "SELECT * FROM payment_methods")
        plain = ("tok_", "visa", "'4242'", '"4242"')  # bare digits come by chance
        assert not any(word in str(row) for word in plain)


async def test_a_stored_method_pays(shop, bank) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        user_id = new_id()
        kept = await s.ask(method(user_id))
        asked = charge(
            None,
            order_id=new_id(user_id),
            user_id=user_id,
            payment_method_id=kept.id,
        )
        assert (await s.ask(asked)).status == "SUCCEEDED"
        (row,) = await bank.ledger(asked.order_id)
        assert (row["token"], row["captured"]) == ("tok_visa", 1999)


async def test_nobody_pays_with_anothers_method(shop, bank) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        kept = await s.ask(method(new_id()))
        for user_id in (new_id(), None):
            with pytest.raises(Refusal) as refused:
                await s.ask(charge(None, user_id=user_id, payment_method_id=kept.id))
            assert refused.value.code == "not-found"
        assert await s.rows("payments", "SELECT * FROM attempts") == []


async def test_a_method_pays_as_what_it_is(shop, bank) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        user_id = new_id()
        kept = await s.ask(method(user_id))
        asked = charge(
            None, user_id=user_id, payment_method_id=kept.id, method="PAYPAL"
        )
        with pytest.raises(Refusal) as refused:
            await s.ask(asked)
        assert refused.value.code == "payment-method-mismatch"
        assert await s.rows("payments", "SELECT * FROM attempts") == []
        assert await bank.ledger(asked.order_id) == []


async def test_methods_are_listed_newest_first_whatever_their_ids_say(
    shop, bank
) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        user_id = new_id()
        timeless = [derived_id(uuid4(), "method", user_id) for _ in range(3)]
        for method_id in (*timeless[:2], new_id(user_id), timeless[2]):
            await s.ask(method(user_id, method_id=method_id))
        first, *rest = (await s.ask(ListMethods(user_id=user_id))).items
        assert first.is_default and first.id == timeless[0]
        assert [one.created_at for one in rest] == sorted(
            (one.created_at for one in rest), reverse=True
        )


async def test_a_method_sent_twice_is_kept_once(shop, bank) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        asked = method(new_id())
        views = await asyncio.gather(*(s.ask(asked) for _ in range(4)))
        assert len({view.id for view in views}) == 1
        with pytest.raises(Refusal) as refused:
            await s.ask(
                method(asked.user_id, "tok_mastercard", method_id=asked.method_id)
            )
        assert refused.value.code == "idempotency-key-reused"
        page = await s.ask(ListMethods(user_id=asked.user_id))
        assert len(page.items) == 1


async def test_exactly_one_method_is_the_default(shop, bank) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        user_id = new_id()
        one = await s.ask(method(user_id))
        two = await s.ask(method(user_id, "tok_mastercard"))
        three = await s.ask(method(user_id, "tok_wallet", make_default=True))

        async def default() -> list[Any]:
            page = await s.ask(ListMethods(user_id=user_id))
            return [view.id for view in page.items if view.is_default]

        assert (one.is_default, two.is_default, three.is_default) == (True, False, True)
        assert await default() == [three.id]
        chosen = await s.ask(SetDefaultMethod(user_id=user_id, method_id=one.id))
        assert chosen.is_default
        assert await default() == [one.id]
        await s.ask(RemoveMethod(user_id=user_id, method_id=one.id))
        assert await default() == [three.id]


async def test_nobody_touches_anothers_method(shop, bank) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        kept = await s.ask(method(new_id()))
        for kind in (RemoveMethod, SetDefaultMethod):
            with pytest.raises(Refusal) as refused:
                await s.ask(kind(user_id=new_id(), method_id=kept.id))
            assert refused.value.code == "not-found"
        assert len(await s.rows("payments", "SELECT id FROM payment_methods")) == 1


@pytest.mark.parametrize(
    ("token", "kind", "code"),
    [
        ("4111111111111111", "CREDIT_CARD", "card-number-refused"),
        ("tok_unheard_of", "CREDIT_CARD", "unknown-token"),
        ("", "CREDIT_CARD", "unknown-token"),
        ("tok_visa", "SHELLS", "unknown-payment-method"),
    ],
)
async def test_what_cannot_be_kept_is_refused(shop, bank, token, kind, code) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        with pytest.raises(Refusal) as refused:
            await s.ask(method(new_id(), token, method=kind))
        assert refused.value.code == code
        assert await s.rows("payments", "SELECT id FROM payment_methods") == []


async def test_a_published_test_card_is_its_token(shop, bank) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        view = await s.ask(method(new_id(), "5555555555554444"))
        assert (view.brand, view.last4) == ("mastercard", "4444")


async def test_a_person_keeps_so_many_methods_and_no_more(shop, bank) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        user_id = new_id()
        for _ in range(METHODS_MAX):
            await s.ask(method(user_id))
        with pytest.raises(Refusal) as refused:
            await s.ask(method(user_id))
        assert refused.value.code == "too-many-methods"


async def test_a_bank_that_does_not_describe_leaves_nothing(shop, bank) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        bank.stop(kill=True)
        try:
            with pytest.raises(Unavailable):
                await s.ask(method(new_id()))
        finally:
            bank.start()
        assert await s.rows("payments", "SELECT id FROM payment_methods") == []


def test_keys_rotate() -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    sealed = Vault(old).seal_method("tok_visa", MethodFacts(brand="visa", last4="1"))
    assert Vault(f"{new},{old}").unseal_method(sealed).token == "tok_visa"
    with pytest.raises(SettingsError):
        Vault("short")


SEALS = "SELECT sealed, sealed_by FROM payment_methods ORDER BY id"


async def restarted(s: Any, keys: str) -> None:
    """Every shard starts again, with these keys."""
    s.settings = s.settings.changed(encryption_keys=keys)
    for number in range(s.shard_count):
        await s.kill("payments", number)
        await s.restart("payments", number)


async def sealed_attempts(s: Any) -> list[str]:
    sql = "SELECT sealed FROM attempts WHERE sealed IS NOT NULL"
    return [row["sealed"] for row in await s.rows("payments", sql)]


@pytest.mark.full
@pytest.mark.usefixtures("hasty")
async def test_an_old_key_can_be_dropped_once_all_is_sealed_anew(shop, bank) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings = settings_for(bank).changed(encryption_keys=old)
    async with shop("payments", shards=2, settings=settings) as s:
        people = [new_id() for _ in range(6)]
        for person in people:
            await s.ask(method(person))
        asked = charge("tok_pending_60000")
        assert (await s.ask(asked)).status == "PENDING"
        marks = {row["sealed_by"] for row in await s.rows("payments", SEALS)}
        assert marks == {Vault(old).mark}
        await restarted(s, f"{new},{old}")

        async def resealed() -> bool:
            rows = await s.rows("payments", SEALS)
            (sealed,) = await sealed_attempts(s)
            anew = {row["sealed_by"] for row in rows} == {Vault(new).mark}
            return anew and not Vault(new).is_stale(sealed)

        await until(resealed)
        await restarted(s, new)
        for person in people:
            (kept,) = (await s.ask(ListMethods(user_id=person))).items
            assert (kept.brand, kept.version) == ("visa", 1)
        order_id = new_id(person)
        paying = charge(
            None, order_id=order_id, user_id=person, payment_method_id=kept.id
        )
        assert (await s.ask(paying)).status == "SUCCEEDED"
        (sealed,) = await sealed_attempts(s)
        vault = s.shard("payments").domain.vault
        assert vault.unseal(sealed) == "tok_pending_60000"


async def test_a_seal_that_no_key_opens_is_left_as_it_is(shop, bank) -> None:
    async with shop("payments", settings=settings_for(bank)) as s:
        kept = await s.ask(method(new_id()))
        other = Vault(Fernet.generate_key().decode())
        connection = await s.database("payments")
        sealed = other.seal("lost")
        await connection.execute(
            "UPDATE payment_methods SET sealed = $1, sealed_by = $2", sealed, other.mark
        )
        await s.ask(Reseal(vault="methods"))
        (row,) = await s.rows("payments", "SELECT id, sealed FROM payment_methods")
        assert (row["id"], row["sealed"]) == (kept.id, sealed)
