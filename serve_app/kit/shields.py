"""Headers by which every answer tells browsers what they may not do with it.

By the OWASP HTTP Headers and REST Security cheat sheets.
"""

from bus.kit.settings import Settings

HSTS_SECONDS = 31_536_000

Shields = tuple[tuple[bytes, bytes], ...]

API_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"
"""The Content-Security-Policy of what is no page: nothing is run, nothing loaded."""

POLICY = (b"content-security-policy", API_POLICY.encode())
NO_STORE = (b"cache-control", b"no-store")
SAME_ORIGIN = (b"cross-origin-resource-policy", b"same-origin")
CROSS_ORIGIN = (b"cross-origin-resource-policy", b"cross-origin")
"""Pictures are shown on the shop's other origins, too."""

PLAIN = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": (
        "camera=(), display-capture=(), geolocation=(), microphone=(), usb=()"
    ),
}
"""What no answer goes without; HAProxy's own say it too."""

DEFAULT: Shields = tuple(
    (name.lower().encode(), value.encode()) for name, value in PLAIN.items()
)


def shields(settings: Settings) -> Shields:
    """The headers of every answer; HSTS only where customers come by https."""
    if not settings.public_url.startswith("https://"):
        return DEFAULT
    value = f"max-age={HSTS_SECONDS}".encode()
    return (*DEFAULT, (b"strict-transport-security", value))
