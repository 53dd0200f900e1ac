"""Routes of `/users`: profiles, address books and their administration."""

from typing import Annotated
from uuid import UUID

from fastapi import Query

from bus.kit.addressing import derived_id
from bus.kit.values import Done, Page
from bus.users import (
    AddAddress,
    AddressView,
    ChangeRole,
    ChangeStatus,
    DeleteAddress,
    GetAddress,
    GetUser,
    ListAddresses,
    ListUsers,
    Role,
    Status,
    UpdateAddress,
    UpdateProfile,
    UserView,
)
from serve_app.kit.routing import (
    ADMIN,
    SIGNED_IN,
    Answer,
    Caller,
    ExpectedVersion,
    Pages,
    ask,
    created,
)
from serve_app.users.bodies import (
    AddressEntryBody,
    ProfileBody,
    RoleBody,
    StatusBody,
)
from serve_app.users.routes import router

SEARCH_MAX = 100


@router.get("/users/profile", access=SIGNED_IN)
async def get_profile(caller: Caller) -> UserView:
    """The signed-in person."""
    return await ask(GetUser(user_id=caller.person))


@router.put("/users/profile", access=SIGNED_IN)
async def update_profile(
    body: ProfileBody, caller: Caller, expected_version: ExpectedVersion
) -> UserView:
    """Write names, phone and language."""
    message = UpdateProfile(
        user_id=caller.person,
        first_name=body.first_name,
        last_name=body.last_name,
        phone=body.phone,
        locale=body.locale,
        expected_version=expected_version,
    )
    await ask(message, id=caller.command_id())
    return await ask(GetUser(user_id=caller.person))


@router.get("/users/addresses", access=SIGNED_IN)
async def list_addresses(caller: Caller) -> Page[AddressView]:
    """The signed-in person's address book, whole, newest first."""
    return await ask(ListAddresses(user_id=caller.person))


@router.post("/users/addresses", access=SIGNED_IN, idempotent=True, status=201)
async def add_address(body: AddressEntryBody, caller: Caller) -> Answer[AddressView]:
    """Add an address; the first one is the default for shipping and billing.

    The postal code must look like one of the country's (ISO 3166), and may be absent
    where there are none; `region` is never needed. The telephone number is E.164. 409
    `too-many-addresses` beyond 50.
    """
    command_id = caller.command_id()
    message = AddAddress(
        user_id=caller.person,
        address_id=derived_id(command_id, "address", caller.person),
        address=body.address(),
        default_shipping=body.default_shipping,
        default_billing=body.default_billing,
    )
    added = await ask(message, id=command_id)
    return created(body.entry(added), f"/users/addresses/{added.address_id}")


@router.put("/users/addresses/{address_id}", access=SIGNED_IN)
async def update_address(
    address_id: UUID,
    body: AddressEntryBody,
    caller: Caller,
    expected_version: ExpectedVersion,
) -> AddressView:
    """Write an address anew; a default stays one until another address takes it.

    Country and postal code are checked as in `POST /users/addresses`.
    """
    message = UpdateAddress(
        user_id=caller.person,
        address_id=address_id,
        address=body.address(),
        default_shipping=body.default_shipping,
        default_billing=body.default_billing,
        expected_version=expected_version,
    )
    await ask(message, id=caller.command_id())
    return await ask(GetAddress(user_id=caller.person, address_id=address_id))


@router.delete("/users/addresses/{address_id}", access=SIGNED_IN)
async def delete_address(
    address_id: UUID, caller: Caller, expected_version: ExpectedVersion
) -> Done:
    """Remove an address; the newest that is left takes over as default."""
    message = DeleteAddress(
        user_id=caller.person,
        address_id=address_id,
        expected_version=expected_version,
    )
    return await ask(message, id=caller.command_id())


@router.get("/users", access=ADMIN)
async def list_users(
    pages: Pages,
    q: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=SEARCH_MAX,
            pattern=r"^[^\x00]*$",
            description="The beginning of an address or a name.",
        ),
    ] = None,
    role: Role | None = None,
    status: Status | None = None,
) -> Page[UserView]:
    """People, newest first."""
    message = ListUsers(
        search=q, role=role, status=status, limit=pages.limit, cursor=pages.cursor
    )
    return await ask(message)


@router.put("/users/{user_id}/role", access=ADMIN)
async def change_role(
    user_id: UUID, body: RoleBody, caller: Caller, expected_version: ExpectedVersion
) -> UserView:
    """Give a person another role; tokens that name the old one count no more.

    409 `own-account`: nobody changes their own; 409 `last-administrator`: one stays.
    """
    message = ChangeRole(
        user_id=user_id,
        role=body.role,
        actor_id=caller.person,
        expected_version=expected_version,
    )
    await ask(message, id=caller.command_id())
    return await ask(GetUser(user_id=user_id))


@router.put("/users/{user_id}/status", access=ADMIN)
async def change_status(
    user_id: UUID, body: StatusBody, caller: Caller, expected_version: ExpectedVersion
) -> UserView:
    """Block a person (`BLOCKED`), which ends all sessions, or let them in (`ACTIVE`).

    409 `own-account`: nobody changes their own; 409 `last-administrator`: one stays.
    """
    message = ChangeStatus(
        user_id=user_id,
        status=body.status,
        actor_id=caller.person,
        expected_version=expected_version,
    )
    await ask(message, id=caller.command_id())
    return await ask(GetUser(user_id=user_id))
