"""Address books."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from actors.users import addresses
from bus.kit.addressing import derived_id, new_id
from bus.kit.values import Address, Done
from bus.users import (
    AddAddress,
    DeleteAddress,
    GetAddress,
    ListAddresses,
    UpdateAddress,
)
from tests.users.persons import refused, register

Shop = Callable[..., Any]
HOUSE = Address(
    name="Ada Lovelace",
    line1="12 St James's Square",
    city="London",
    postal_code="SW1Y 4JH",
    country="GB",
    phone="+442071234567",
)


async def add(s: Any, user_id: UUID, **other: Any) -> UUID:
    """A new entry's id."""
    address_id = new_id(user_id)
    message = AddAddress(user_id=user_id, address_id=address_id, address=HOUSE, **other)
    await s.ask(message)
    return address_id


async def defaults(s: Any, user_id: UUID) -> tuple[list[UUID], list[UUID]]:
    """The default entries for shipping and for billing."""
    entries = (await s.ask(ListAddresses(user_id=user_id))).items
    shipping = [entry.id for entry in entries if entry.default_shipping]
    return shipping, [entry.id for entry in entries if entry.default_billing]


async def test_the_first_address_is_the_default_until_another_takes_it(
    shop: Shop,
) -> None:
    async with shop("users") as s:
        user_id = (await register(s)).user.id
        first = await add(s, user_id)
        second = await add(s, user_id)
        assert await defaults(s, user_id) == ([first], [first])
        third = await add(s, user_id, default_billing=True)
        assert await defaults(s, user_id) == ([first], [third])
        message = UpdateAddress(
            user_id=user_id, address_id=second, address=HOUSE, default_shipping=True
        )
        assert (await s.ask(message)).version == 2
        assert await defaults(s, user_id) == ([second], [third])


async def test_an_entry_keeps_every_field(shop: Shop) -> None:
    async with shop("users") as s:
        user_id = (await register(s)).user.id
        address_id = await add(s, user_id)
        entry = await s.ask(GetAddress(user_id=user_id, address_id=address_id))
        assert entry.plain() == HOUSE
        assert (entry.version, entry.created_at) == (1, entry.updated_at)


async def test_an_address_added_twice_is_there_once(shop: Shop) -> None:
    async with shop("users") as s:
        user_id = (await register(s)).user.id
        command_id = new_id()
        message = AddAddress(
            user_id=user_id,
            address_id=derived_id(command_id, "address", user_id),
            address=HOUSE,
        )
        first = await s.ask(message, id=command_id)
        assert await s.ask(message, id=command_id) == first
        assert len((await s.ask(ListAddresses(user_id=user_id))).items) == 1
        rows = await s.rows("users", "SELECT t::text FROM handled t")
        assert "St James" not in str(rows)


async def test_the_newest_left_takes_over_when_a_default_is_deleted(shop: Shop) -> None:
    async with shop("users") as s:
        user_id = (await register(s)).user.id
        first = await add(s, user_id)
        await add(s, user_id)
        third = await add(s, user_id)
        message = DeleteAddress(user_id=user_id, address_id=first)
        assert await s.ask(message) == Done()
        assert await defaults(s, user_id) == ([third], [third])
        assert (await refused(s.ask(message))).code == "not-found"


async def test_an_old_version_changes_nothing(shop: Shop) -> None:
    async with shop("users") as s:
        user_id = (await register(s)).user.id
        address_id = await add(s, user_id)
        ids: dict[str, Any] = {"user_id": user_id, "address_id": address_id}
        update = UpdateAddress(address=HOUSE, expected_version=1, **ids)
        assert (await s.ask(update)).version == 2
        assert (await refused(s.ask(update))).code == "version-mismatch"
        delete = DeleteAddress(expected_version=1, **ids)
        assert (await refused(s.ask(delete))).code == "version-mismatch"
        assert (await s.ask(GetAddress(**ids))).version == 2


async def test_another_persons_address_is_not_found(shop: Shop) -> None:
    async with shop("users", shards=2) as s:
        ada = (await register(s)).user.id
        bob = (await register(s, "bob@example.com")).user.id
        address_id = await add(s, ada)
        ids: dict[str, Any] = {"user_id": bob, "address_id": address_id}
        for message in (
            GetAddress(**ids),
            UpdateAddress(address=HOUSE, **ids),
            DeleteAddress(**ids),
        ):
            assert (await refused(s.ask(message))).code == "not-found"
        entry = await s.ask(GetAddress(user_id=ada, address_id=address_id))
        assert entry.version == 1


async def test_the_address_book_has_an_end(shop: Shop) -> None:
    async with shop("users") as s:
        user_id = (await register(s)).user.id
        for _ in range(addresses.ADDRESSES_MAX):
            await add(s, user_id)
        refusal = await refused(add(s, user_id))
        assert refusal.code == "too-many-addresses"
