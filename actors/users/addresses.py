"""Address books: entries, and which is the default for shipping and for billing."""

from uuid import UUID

from actors.kit.domain import handles
from actors.users.people import People, present
from bus.kit.refusals import not_found, stale
from bus.kit.values import Done, Page
from bus.users import (
    AddAddress,
    AddressAdded,
    AddressView,
    DeleteAddress,
    GetAddress,
    ListAddresses,
    Saved,
    UpdateAddress,
    too_many_addresses,
)
from persistence.kit.database import Db
from persistence.kit.transaction import Tx
from persistence.users import (
    delete_address,
    find_account,
    find_address,
    find_addresses,
    hand_over_defaults,
    insert_address,
    replace_address,
    take_defaults,
)

ADDRESSES_MAX = 50


class AddressBooks(People):
    """People's address books."""

    @handles(AddAddress)
    async def add_address(self, tx: Tx, m: AddAddress) -> AddressAdded:
        """Add an entry; the first one is the default for both purposes."""
        present(await find_account(tx, m.user_id))
        entries = await find_addresses(tx, m.user_id)
        if len(entries) >= ADDRESSES_MAX:
            raise too_many_addresses(ADDRESSES_MAX)
        first = not entries
        defaults = (m.default_shipping or first, m.default_billing or first)
        await take_defaults(tx, m.user_id, m.address_id, defaults)
        await insert_address(tx, m.user_id, m.address_id, m.address, defaults)
        return AddressAdded(
            address_id=m.address_id,
            default_shipping=defaults[0],
            default_billing=defaults[1],
            version=1,
            created_at=tx.now,
        )

    @handles(UpdateAddress)
    async def update_address(self, tx: Tx, m: UpdateAddress) -> Saved:
        """Write an entry anew."""
        await self._entry(tx, m.user_id, m.address_id, m.expected_version)
        defaults = (m.default_shipping, m.default_billing)
        await take_defaults(tx, m.user_id, m.address_id, defaults)
        return Saved(await replace_address(tx, m.address_id, m.address, defaults))

    @handles(DeleteAddress)
    async def delete_address(self, tx: Tx, m: DeleteAddress) -> Done:
        """Remove an entry; the newest that is left takes over as default."""
        entry = await self._entry(tx, m.user_id, m.address_id, m.expected_version)
        await delete_address(tx, m.address_id)
        defaults = (entry.default_shipping, entry.default_billing)
        if any(defaults):
            await hand_over_defaults(tx, m.user_id, defaults)
        return Done()

    @handles(ListAddresses)
    async def list_addresses(self, db: Db, q: ListAddresses) -> Page[AddressView]:
        """A person's address book."""
        return Page(tuple(await find_addresses(db, q.user_id)))

    @handles(GetAddress)
    async def get_address(self, db: Db, q: GetAddress) -> AddressView:
        """One entry."""
        entry = await find_address(db, q.user_id, q.address_id)
        if entry is None:
            raise not_found("address")
        return entry

    async def _entry(
        self, tx: Tx, user_id: UUID, address_id: UUID, expected_version: int | None
    ) -> AddressView:
        entry = await find_address(tx, user_id, address_id)
        if entry is None:
            raise not_found("address")
        if expected_version not in (None, entry.version):
            raise stale()
        return entry
