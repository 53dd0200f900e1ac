"""What users does: accounts, sign-ins, mailed codes, profiles and address books."""

from actors.users.accounts import Accounts
from actors.users.addresses import AddressBooks
from actors.users.codes import Codes
from actors.users.erasing import Erasing
from actors.users.exporting import Exporting
from actors.users.identities import Identities
from persistence.users.shown import BOOKS


class Users(Accounts, Codes, Identities, AddressBooks, Erasing, Exporting):
    """The people of the shop. A person's id is the key of all that is theirs."""

    name = "users"
    shown = BOOKS


__all__ = ["Users"]
