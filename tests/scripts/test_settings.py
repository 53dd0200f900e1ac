"""Settings: read whole, carried whole, and refused in one line."""

from pathlib import Path

import pytest

from bus.kit.settings import Settings, SettingsError

SEED = "A" * 43


def test_a_shop_without_any_variable_has_its_defaults() -> None:
    settings = Settings.load({})
    assert (settings.http_port, settings.pg_port, settings.nats_port) == (
        3000,
        5433,
        4222,
    )
    assert settings.currency == "USD"
    assert settings.shards("orders") == 1


def test_a_domain_may_have_its_own_shards_and_database() -> None:
    settings = Settings.load(
        {
            "SOUK_SHARDS": "2",
            "SOUK_ORDERS_SHARDS": "3",
            "SOUK_ORDERS_DATABASE_URL": "postgresql://orders@elsewhere/orders",
        }
    )
    assert (settings.shards("orders"), settings.shards("users")) == (3, 2)
    assert settings.database_url("orders") == "postgresql://orders@elsewhere/orders"


def test_exported_settings_load_to_the_same_ones() -> None:
    given = {"SOUK_DEMO": "0", "SOUK_SHARDS": "4", "SOUK_USERS_DATABASE_URL": "x://y"}
    settings = Settings.load({**given, "SOUK_DATA_DIR": "somewhere"})
    assert Settings.load(settings.export()) == settings
    assert settings.data_dir == Path.cwd() / "somewhere"


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"SOUK_HTTP_PORT": "99999"}, "SOUK_HTTP_PORT: Input should be less than"),
        ({"SOUK_SHARDS": "0"}, "SOUK_SHARDS: Input should be greater than"),
        ({"SOUK_ORDERS_SHARDS": "x"}, "SOUK_ORDERS_SHARDS: Input should be a valid"),
        ({"SOUK_CURRENCY": "usd"}, "SOUK_CURRENCY: String should match pattern"),
        ({"SOUK_PROFILE": "test"}, "SOUK_PROFILE: Input should be 'development'"),
        ({"SOUK_PROFILE": "production"}, "SOUK_JWT_KEYS is required in production"),
        (
            {"SOUK_PROFILE": "production", "SOUK_JWT_KEYS": SEED},
            "SOUK_ENCRYPTION_KEYS is required in production",
        ),
    ],
)
def test_a_bad_value_is_refused_by_its_variable_in_one_line(
    variables: dict[str, str], line: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load(variables)
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_a_database_that_is_not_set_is_named() -> None:
    with pytest.raises(SettingsError, match="SOUK_ORDERS_DATABASE_URL is not set"):
        Settings.load({}).database_url("orders")


def test_secrets_are_not_shown() -> None:
    settings = Settings.load({"SOUK_JWT_KEYS": SEED, "SOUK_NATS_URL": "nats://a:pw@b"})
    assert SEED not in repr(settings)
    assert "pw" not in repr(settings)
