"""What a setting may be: its type, its bounds, and how a text is read."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from bus.kit.callers import parse_callers
from bus.kit.outside import parse_limits, parse_origins, parse_proxies
from bus.kit.smtp_urls import SmtpUrl

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def _absolute(folder: Path) -> Path:
    # Ray's processes run in folders of their own.
    return folder.expanduser().absolute()


def _absolute_file(file: str) -> str:
    return str(_absolute(Path(file))) if file else ""


def _provider_url(url: str) -> str:
    """An address that secrets may be sent to: encrypted, or on this machine."""
    parts = urlsplit(url)
    local = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if not parts.hostname or not (parts.scheme == "https" or local):
        raise ValueError("Must be an https address (http only on this machine)")
    if parts.username or parts.query or parts.fragment:
        raise ValueError("Must be an address without user, query or fragment")
    return url.rstrip("/")


def _other_url(url: str) -> str:
    """An address over HTTP, or none."""
    parts = urlsplit(url)
    if url and not (parts.scheme in ("http", "https") and parts.hostname):
        raise ValueError("Must be an http or https address")
    return url.rstrip("/")


def _bucket_url(url: str) -> str:
    """A bucket of a kind that we know, or none."""
    parts = urlsplit(url)
    if url and not (parts.scheme in ("s3", "gs") and parts.netloc):
        raise ValueError("Must be s3://bucket or gs://bucket, with a prefix or not")
    return url


def _read_by(parse: Callable[[str], object]) -> AfterValidator:
    """A text that `parse` can read; it is kept as it was given."""

    def check(text: str) -> str:
        if text:
            parse(text)
        return text

    return AfterValidator(check)


Port = Annotated[int, Field(ge=1, le=65535)]
FreePort = Annotated[int, Field(ge=0, le=65535)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Shards = Annotated[int, Field(ge=1, le=64)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Secret = Annotated[str, Field(repr=False)]
Folder = Annotated[Path, AfterValidator(_absolute)]
SecretFile = Annotated[str, AfterValidator(_absolute_file)]
ProviderUrl = Annotated[str, AfterValidator(_provider_url)]
OtherUrl = Annotated[str, AfterValidator(_other_url)]
BucketUrl = Annotated[str, AfterValidator(_bucket_url)]
MailServer = Annotated[str, Field(repr=False), _read_by(SmtpUrl.of)]
Callers = Annotated[str, _read_by(parse_callers)]
RateLimits = Annotated[str, _read_by(parse_limits)]
Origins = Annotated[str, _read_by(parse_origins)]
Proxies = Annotated[str, _read_by(parse_proxies)]
