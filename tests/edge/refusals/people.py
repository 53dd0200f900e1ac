"""Refusals of users: accounts, sessions, addresses."""

from typing import Any

from bus.kit.addressing import new_id
from bus.users import CreateAccount, EnterByIdentity, SessionStart
from bus.users import Role as AccountRole
from tests.edge.contract import Role
from tests.edge.contract.people import NEW_PASSWORD, NOBODY, PERSON, WRONG_CODE
from tests.edge.front import HOUSE, PASSWORD
from tests.edge.refusals.table import provokes
from tests.edge.scene import Scene
from tests.edge.things import People


@provokes("email-taken", 409)
async def _twice(scene: Scene) -> Any:
    return await _register(scene, await People(scene).makers()["email"]())


@provokes("weak-password", 422)
async def _easy(scene: Scene) -> Any:
    return await _register(scene, "easy@example.com", "password123")


@provokes("invalid-credentials", 401)
async def _unknown(scene: Scene) -> Any:
    body = {"email": NOBODY, "password": PASSWORD}
    return await scene.front.guest.send("POST /auth/login", body)


@provokes("invalid-code", 422)
async def _wrong_code(scene: Scene) -> Any:
    return await scene.front.guest.send("POST /auth/verify-email", WRONG_CODE)


@provokes("invalid-token", 401)
async def _forged(scene: Scene) -> Any:
    body = {"refresh_token": f"{new_id()}.{'A' * 43}"}
    return await scene.front.guest.send("POST /auth/refresh", body)


@provokes("own-account", 409)
async def _oneself(scene: Scene) -> Any:
    admin = scene.people[Role.ADMIN]
    body = {"role": "CUSTOMER"}
    return await admin.send(f"PUT /users/{admin.user_id}/role", body)


@provokes("account-blocked", 403)
async def _blocked(scene: Scene) -> Any:
    email = await People(scene).makers()["email"]()
    admin, body = scene.people[Role.ADMIN], {"status": "BLOCKED"}
    found = (await admin.call(f"GET /users?q={email}", 200))["items"]
    await admin.call(f"PUT /users/{found[0]['id']}/status", 200, body)
    login = {"email": email, "password": PASSWORD}
    return await scene.front.guest.send("POST /auth/login", login)


@provokes("too-many-addresses", 409)
async def _everywhere(scene: Scene) -> Any:
    person = await scene.front.person()
    for _ in range(100):
        answer = await person.send("POST /users/addresses", HOUSE)
        if answer.status_code != 201:
            return answer
    return answer


@provokes("sign-in-not-configured", 404)
async def _no_issuer(scene: Scene) -> Any:
    return await scene.front.guest.send("GET /auth/google/sign")


@provokes("sign-in-again", 403)
async def _long_ago(scene: Scene) -> Any:
    """The people of the scene have tokens, and no session that is remembered."""
    person = await scene.front.person()
    return await person.send("DELETE /users/profile")


@provokes("identity-elsewhere", 409)
async def _slower(scene: Scene) -> Any:
    """Nobody has this id, and no account is to be made."""
    start = SessionStart(session_id=new_id(), secret="a" * 43, client="x")
    enter = EnterByIdentity(user_id=new_id(), issuer="i", subject="s", start=start)
    return await scene.front.shop.ask(enter)


@provokes("required", 422)
async def _no_password(scene: Scene) -> Any:
    account = CreateAccount(
        user_id=new_id(),
        email="bare@example.com",
        first_name="Pat",
        last_name="Doe",
        role=AccountRole.CUSTOMER,
    )
    return await scene.front.shop.ask(account)


async def _register(scene: Scene, email: str, password: str = NEW_PASSWORD) -> Any:
    body = {"email": email, "password": password, **PERSON}
    return await scene.front.guest.send("POST /auth/register", body)
