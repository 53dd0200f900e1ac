"""All settings of a shop: one frozen, typed class, read from `SOUK_…` variables."""

import os
import re
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

from bus.kit.settings import groups
from bus.kit.settings.values import Shards

PREFIX = "SOUK_"
_OF_A_DOMAIN = re.compile(r"SOUK_([A-Z][A-Z0-9_]*)_(DATABASE_URL|SHARDS)")


class SettingsError(ValueError):
    """A setting that the shop cannot start with; its text is one line for people."""


class Settings(
    groups.Watching,
    groups.Limits,
    groups.Processes,
    groups.Selling,
    groups.Payments,
    groups.SigningIn,
    groups.Secrets,
    groups.Files,
    groups.Messages,
    groups.Servers,
    groups.Shop,
):
    """Everything that can be set from outside.

    Every field `name` is read from `SOUK_NAME`; an empty variable counts as absent and
    unknown ones are ignored. `SOUK_<DOMAIN>_DATABASE_URL` and `SOUK_<DOMAIN>_SHARDS`
    are read for any domain. `export()` and `load()` carry a whole value to another
    process.
    """

    database_urls: dict[str, Annotated[str, Field(min_length=1)]] = Field(
        default_factory=dict, repr=False
    )
    """Database of each domain, from `SOUK_<DOMAIN>_DATABASE_URL`."""
    shard_counts: dict[str, Shards] = Field(default_factory=dict)
    """Pool actors of each domain, from `SOUK_<DOMAIN>_SHARDS`."""

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> Self:
        """The settings in `environ` (this process' own when absent).

        Raises `SettingsError` with one line that names the first bad variable.
        """
        source = os.environ if environ is None else environ
        try:
            return cls.model_validate(_values(cls, source))
        except ValidationError as error:
            raise SettingsError(_line(error)) from None

    def export(self) -> dict[str, str]:
        """The same settings as variables, for the environment of another process."""
        plain = self.model_dump(mode="json", exclude={"database_urls", "shard_counts"})
        variables = {_variable(name): str(value) for name, value in plain.items()}
        for domain, url in self.database_urls.items():
            variables[f"{PREFIX}{domain.upper()}_DATABASE_URL"] = url
        for domain, count in self.shard_counts.items():
            variables[f"{PREFIX}{domain.upper()}_SHARDS"] = str(count)
        return variables

    def database_url(self, domain: str) -> str:
        """Address of the domain's database (`postgresql://…`), with its own role."""
        try:
            return self.database_urls[domain]
        except KeyError:
            name = f"{PREFIX}{domain.upper()}_DATABASE_URL"
            raise SettingsError(f"{name} is not set") from None

    def shards(self, domain: str) -> int:
        """How many pool actors the domain has."""
        return self.shard_counts.get(domain, self.shards_each)

    def changed(self, **values: Any) -> Self:
        """The same settings with some values replaced, checked again."""
        try:
            return type(self).model_validate({**self.model_dump(), **values})
        except ValidationError as error:
            raise SettingsError(_line(error)) from None

    @model_validator(mode="after")
    def _production_has_its_own_secrets(self) -> Self:
        if self.profile == "production":
            given = {
                "jwt_keys": self.jwt_keys or self.jwt_keys_file,
                "encryption_keys": self.encryption_keys,
            }
            for name, value in given.items():
                if not value:
                    raise ValueError(f"{_variable(name)} is required in production")
        return self

    @model_validator(mode="after")
    def _a_provider_is_whole(self) -> Self:
        if bool(self.paypal_client_id) != bool(self.paypal_client_secret):
            raise ValueError(
                "SOUK_PAYPAL_CLIENT_ID and SOUK_PAYPAL_CLIENT_SECRET go together"
            )
        twilio = (self.twilio_account_sid, self.twilio_auth_token, self.twilio_from)
        if any(twilio) and not all(twilio):
            raise ValueError(
                "SOUK_TWILIO_ACCOUNT_SID, SOUK_TWILIO_AUTH_TOKEN and SOUK_TWILIO_FROM"
                " go together"
            )
        if self.profile == "production":
            for needs, names in _NEEDED_IN_PRODUCTION.items():
                missing = [name for name in names if not getattr(self, name)]
                if getattr(self, needs) and missing:
                    raise ValueError(
                        f"{_variable(missing[0])} is required in production"
                    )
        return self


_NEEDED_IN_PRODUCTION = {
    "stripe_secret_key": ("stripe_webhook_secret",),
    "paypal_client_id": ("paypal_webhook_id", "paypal_merchant_id"),
}
"""What a provider cannot be trusted without."""


def _values(cls: type[Settings], environ: Mapping[str, str]) -> dict[str, Any]:
    """The fields that `environ` sets."""
    fields = {_variable(name): name for name in cls.model_fields}
    values: dict[str, Any] = {}
    urls, shards = dict[str, str](), dict[str, str]()
    for name, value in environ.items():
        if not value:
            continue
        if found := _OF_A_DOMAIN.fullmatch(name):
            of_kind = urls if found[2] == "DATABASE_URL" else shards
            of_kind[found[1].lower()] = value
        elif name in fields:
            values[fields[name]] = value
    return {**values, "database_urls": urls, "shard_counts": shards}


def _variable(field: str) -> str:
    """The variable that sets a field."""
    return PREFIX + (Settings.model_fields[field].alias or field).upper()


def _line(error: ValidationError) -> str:
    """One line about the first problem; values are left out, they may be secrets."""
    first = error.errors(include_url=False, include_input=False)[0]
    message = str(first["msg"]).removeprefix("Value error, ")
    where = [str(part).upper() for part in first["loc"]]
    if not where:
        return message
    if first["loc"][0] in Settings.model_fields:
        where[0] = _variable(str(first["loc"][0])).removeprefix(PREFIX)
    if where[0] == "DATABASE_URLS":
        where = [where[1], "DATABASE_URL"]
    elif where[0] == "SHARD_COUNTS":
        where = [where[1], "SHARDS"]
    return f"{PREFIX}{'_'.join(where)}: {message}"
