"""The first administrator of a shop that is not the demo's."""

from collections.abc import Awaitable, Callable
from typing import Any

from bus.kit.addressing import derived_id
from bus.kit.refusals import Refusal
from bus.kit.settings import Settings
from bus.users import CreateAccount, GetUser, Role
from scripts.demo.goods import demo_id
from scripts.launcher.keys import account_password

START_SECONDS_MAX = 60.0


async def first_administrator(
    settings: Settings, ask: Callable[..., Awaitable[Any]]
) -> dict[str, dict[str, str]]:
    """Make the account of `SOUK_ADMIN_EMAIL`, once; as `admin` its e-mail and password.

    Nothing is made, and nothing returned, where the address is not set or somebody has
    an account of it. Killed half-way, it may be called again.
    """
    if not settings.admin_email:
        return {}
    user_id = derived_id(demo_id("administrator"), settings.admin_email)
    try:
        await ask(GetUser(user_id=user_id))
    except Refusal:
        password = settings.admin_password or account_password(settings, "admin")
    else:
        return {}
    account = CreateAccount(
        user_id=user_id,
        email=settings.admin_email,
        password=password,
        first_name="Shop",
        last_name="Keeper",
        role=Role.ADMIN,
    )
    try:
        await ask(account, timeout_seconds=START_SECONDS_MAX)
    except Refusal as refusal:
        if refusal.code != "email-taken":
            raise
        return {}
    return {"admin": {"email": settings.admin_email, "password": password}}
