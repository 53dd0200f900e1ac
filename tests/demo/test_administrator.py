"""The first administrator of a shop without the demo."""

import pytest

from bus.kit.settings import Settings
from bus.users import CreateAccount, GetUser, Role
from scripts.demo.goods import demo_id
from scripts.launcher.administrator import first_administrator

EMAIL = "owner@example.com"


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(
        data_dir=tmp_path, encryption_keys="a secret of this shop", bcrypt_rounds=4
    )


async def test_it_is_made_once_with_a_password_that_is_known_again(
    shop, settings
) -> None:
    async with shop("users") as s:
        mine = settings.changed(admin_email=EMAIL)
        made = await first_administrator(mine, s.ask)
        assert made["admin"]["email"] == EMAIL
        assert len(made["admin"]["password"]) >= 16
        rows = await s.rows("users", "SELECT id, role FROM users")
        assert [row["role"] for row in rows] == [Role.ADMIN]
        user = await s.ask(GetUser(user_id=rows[0]["id"]))
        assert user.email == EMAIL
        assert await first_administrator(mine, s.ask) == {}
        assert len(await s.rows("users", "SELECT id FROM users")) == 1


async def test_a_given_password_is_taken(shop, settings) -> None:
    async with shop("users") as s:
        word = "correct horse battery staple"
        mine = settings.changed(admin_email=EMAIL, admin_password=word)
        made = await first_administrator(mine, s.ask)
        assert made == {"admin": {"email": EMAIL, "password": word}}


async def test_nobody_is_made_without_an_address_or_beside_an_account_of_it(
    shop, settings
) -> None:
    async with shop("users") as s:
        assert await first_administrator(settings, s.ask) == {}
        await s.ask(
            CreateAccount(
                user_id=demo_id("somebody"),
                email=EMAIL,
                password="another good password",
                first_name="Some",
                last_name="Body",
            )
        )
        mine = settings.changed(admin_email=EMAIL)
        assert await first_administrator(mine, s.ask) == {}
        rows = await s.rows("users", "SELECT role FROM users")
        assert [row["role"] for row in rows] == [Role.CUSTOMER]
