"""What an operator writes of callers from outside: limits, origins, proxies."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Literal
from urllib.parse import urlsplit

from bus.kit.values import Value

LIMITS_MAX = 64
QUOTA_MAX = 100_000_000
WINDOW_SECONDS_MAX = 86_400
ORIGINS_MAX = 64
PROXIES_MAX = 64
HOPS_MAX = 8

Per = Literal["address", "account", "caller"]
Network = IPv4Network | IPv6Network

OFF = "off"
PERS: dict[str, Per] = {
    "address": "address",
    "account": "account",
    "caller": "caller",
}
_LIMIT = re.compile(
    r"(?P<name>address|account|(?:GET|POST|PUT|PATCH|DELETE) /[\w{}.:~/-]{0,128})"
    r"\s*=\s*"
    r"(?:off|(?P<quota>[0-9]{1,9})/(?P<window>[0-9]{1,5})"
    r"(?:\s+(?P<per>address|account|caller))?)",
    re.ASCII,
)


class Limit(Value, frozen=True, kw_only=True):
    """At most `quota` requests in `window_seconds`, counted apart `per` whom.

    `name` is `address` or `account` (all requests), or a route: `POST /auth/login`.
    A `caller` is the person who is signed in, else the address.
    """

    name: str
    quota: int
    window_seconds: int
    per: Per


class Proxies(Value, frozen=True):
    """Which proxies before ours are believed: those networks', or that many `hops`."""

    networks: tuple[Network, ...] = ()
    hops: int = 0


def _limits(*rows: tuple[str, int, int, Per]) -> dict[str, Limit]:
    return {
        name: Limit(name=name, quota=quota, window_seconds=window, per=per)
        for name, quota, window, per in rows
    }


DEFAULT_LIMITS = _limits(
    # So high that only a flood meets them: many people share an address.
    ("address", 1_200_000, 60, "address"),
    ("account", 120_000, 60, "account"),
    # Guessing, flooding a mailbox, filling the store: by who could do it again.
    ("POST /auth/register", 300, 60, "address"),
    ("POST /auth/login", 300, 60, "address"),
    ("POST /auth/refresh", 600, 60, "address"),
    ("POST /auth/verify-email", 120, 60, "address"),
    ("POST /auth/resend-code", 120, 60, "address"),
    ("POST /auth/forgot-password", 120, 60, "address"),
    ("POST /auth/reset-password", 120, 60, "address"),
    ("POST /auth/change-password", 120, 60, "caller"),
    ("POST /orders/lookup", 120, 60, "address"),
    ("POST /orders", 3_000, 60, "account"),
    ("POST /payments/methods", 300, 60, "account"),
    ("POST /upload", 600, 60, "caller"),
)
"""The limits of a shop that sets none."""


def parse_limits(text: str) -> dict[str, Limit]:
    """The limits of a shop: the defaults, changed by `POST /auth/login=10/60, …`.

    `name=off` removes one, `off` alone all. Raises ValueError with one line that says
    what is wrong.
    """
    if text.strip().lower() == OFF:
        return {}
    limits = dict(DEFAULT_LIMITS)
    for part in filter(None, (each.strip() for each in text.split(","))):
        found = _LIMIT.fullmatch(part)
        if found is None:
            raise ValueError(f"{part[:80]!r} is none such as POST /auth/login=10/60")
        name = found["name"]
        if found["quota"] is None:
            limits.pop(name, None)
            continue
        limits[name] = _limit(
            name, int(found["quota"]), int(found["window"]), found["per"]
        )
    if len(limits) > LIMITS_MAX:
        raise ValueError(f"names more than {LIMITS_MAX} limits")
    return limits


def parse_origins(text: str) -> frozenset[str]:
    """Origins by comma, each exactly as a browser says it: `https://shop.example`.

    Raises ValueError for what is none, `*` and `null` included: answers to these
    origins may be read with a person's own rights.
    """
    origins = [each.strip() for each in text.split(",") if each.strip()]
    if len(origins) > ORIGINS_MAX:
        raise ValueError(f"names more than {ORIGINS_MAX} origins")
    for origin in origins:
        try:
            parts = urlsplit(origin)
            port = parts.port
        except ValueError:
            raise ValueError(f"{origin[:80]!r} is no origin") from None
        host = parts.hostname or ""
        host = f"[{host}]" if ":" in host else host
        default = {"http": 80, "https": 443}.get(parts.scheme)
        plain = f"{parts.scheme}://{host}" + (f":{port}" if port else "")
        if default is None or not host or "*" in host or plain != origin:
            raise ValueError(
                f"{origin[:80]!r} is no origin such as https://shop.example"
            )
        if port == default:
            raise ValueError(f"{origin}: browsers leave the port {port} out")
    return frozenset(origins)


def parse_proxies(text: str) -> Proxies:
    """Networks by comma (`10.0.0.0/8`), or how many proxies stand before the shop.

    Raises ValueError with one line that says what is wrong.
    """
    if text.strip().isdecimal():
        hops = int(text)
        if not 0 <= hops <= HOPS_MAX:
            raise ValueError(f"at most {HOPS_MAX} proxies")
        return Proxies(hops=hops)
    names = [each.strip() for each in text.split(",") if each.strip()]
    if len(names) > PROXIES_MAX:
        raise ValueError(f"names more than {PROXIES_MAX} networks")
    try:
        return Proxies(tuple(ip_network(name) for name in names))
    except ValueError as error:
        raise ValueError(f"{error}: write networks such as 10.0.0.0/8") from None


def _limit(name: str, quota: int, window_seconds: int, per: str | None) -> Limit:
    if not 1 <= quota <= QUOTA_MAX or not 1 <= window_seconds <= WINDOW_SECONDS_MAX:
        raise ValueError(
            f"{name}: 1 to {QUOTA_MAX} requests in 1 to {WINDOW_SECONDS_MAX} seconds"
        )
    known = DEFAULT_LIMITS.get(name)
    if name in PERS and per not in (None, name):
        raise ValueError(f"{name} is counted per {name}")
    return Limit(
        name=name,
        quota=quota,
        window_seconds=window_seconds,
        per=PERS[per] if per else known.per if known else "caller",
    )
