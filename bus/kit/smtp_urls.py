"""The address of a mail server, as `SOUK_SMTP_URL` says it."""

from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

from bus.kit.values import Value

_PORTS = {"smtp": 25, "smtps": 465}
_STARTTLS = {"required": True, "auto": None, "never": False}
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class SmtpUrl(Value, frozen=True, kw_only=True):
    """`smtp[s]://user:password@host:port?starttls=required&ca=/path/to/ca.pem`.

    `smtps` speaks TLS from the first byte. With `smtp`, `starttls` is `required`,
    `auto` (when the server offers it) or `never`; a password goes to another machine
    over TLS only, so with one `required` is the default there. Certificates are always
    verified, against the system's authorities or those in the file `ca`.
    """

    host: str
    port: int
    tls: bool
    starttls: bool | None
    username: str | None
    password: str | None
    ca_file: str | None

    @classmethod
    def of(cls, url: str) -> Self:
        """Read a URL; raises ValueError with a line for people."""
        parts = urlsplit(url)
        options = parse_qs(parts.query, keep_blank_values=True)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError("Must be smtp://host:port or smtps://host:port")
        if options.keys() - {"starttls", "ca"} or parts.fragment:
            raise ValueError("Knows only the options starttls and ca")
        far = parts.hostname not in _LOOPBACK
        default = "required" if parts.username and far else "auto"
        starttls = options.get("starttls", [default])[-1]
        if starttls not in _STARTTLS:
            raise ValueError("starttls must be required, auto or never")
        if parts.username and far and parts.scheme == "smtp" and starttls != "required":
            raise ValueError("A password needs smtps:// or starttls=required")
        return cls(
            host=parts.hostname,
            port=parts.port or _PORTS[parts.scheme],
            tls=parts.scheme == "smtps",
            starttls=_STARTTLS[starttls],
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            ca_file=options["ca"][-1] if "ca" in options else None,
        )
