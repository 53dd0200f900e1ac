"""The servers of a shop that are not Ray: Postgres, NATS, the sandbox bank."""

import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from actors import DOMAINS
from bus.kit.callers import Callers, allowed_subjects, parse_callers
from bus.kit.settings import Settings, SettingsError
from scripts.embedded.nats import Nats
from scripts.embedded.postgres import Postgres
from scripts.embedded.process import Identity, launch, wait_until
from scripts.launcher.environment import BANK, ROOT, connections_max
from scripts.launcher.failures import Failure

BANK_START_SECONDS_MAX = 30.0
BANK_STOP_SECONDS_MAX = 10.0
HEALTH_SECONDS_MAX = 5.0
ANSWER_BYTES_MAX = 2_000
TEXT_BYTES_MAX = 4 << 20
SERVICES = (
    "inventory.get-stock",
    "inventory.reserve-stock",
    "inventory.update-stock",
    "payment.process",
    "payment.add-method",
    "payment.process-refund",
    "notification.send",
    "notification.get-user",
    "notification.mark-read",
    "notification.order-created",
    "email.send",
    "email.send-template",
    "sms.send",
)
CALLERS = {
    "inventory": ("inventory.*",),
    "payments": ("payment.*",),
    "messages": ("notification.*", "email.*", "sms.*"),
}
"""Who may call what where `SOUK_NATS_CALLERS` says nothing: an account for each use."""


def postgres(settings: Settings) -> Postgres:
    """The shop's Postgres, not started."""
    return Postgres(
        settings.data_dir,
        settings.pg_port,
        user=settings.pg_user,
        binaries=settings.pg_bin,
        connections_max=connections_max(settings),
    )


def nats(settings: Settings, secrets: dict[str, Any]) -> Nats:
    """The shop's NATS, not started."""
    return Nats(
        settings.data_dir,
        settings.nats_port,
        settings.nats_monitor_port,
        passwords=secrets["nats"],
        services=SERVICES,
        consumers=tuple(DOMAINS),
        callers=callers(settings),
    )


def callers(settings: Settings) -> Callers:
    """Who may call which of `SERVICES`, beside `services`, which may call them all.

    Raises `SettingsError` for a subject that nobody serves.
    """
    wanted = parse_callers(settings.nats_callers) if settings.nats_callers else CALLERS
    try:
        return allowed_subjects(wanted, SERVICES)
    except ValueError as error:
        raise SettingsError(f"SOUK_NATS_CALLERS: {error}") from None


class Bank:
    """The sandbox bank's process; its secrets are in the environment."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.bank_url
        self._log = settings.data_dir / "logs" / "bank.log"
        self._variables = {
            "PYTHONPATH": str(ROOT),
            "SOUK_BANK_DATABASE_URL": settings.database_url(BANK),
            "SOUK_BANK_WEBHOOK_URL": f"{settings.public_url}/payments/webhooks/sandbox",
            "SOUK_BANK_WEBHOOK_SECRET": settings.bank_webhook_secret,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """It needs nothing."""

    def launch(self) -> None:
        """Start it; returns at once. See `process.launch` about threads."""
        port = self._url.rsplit(":", 1)[1]
        with self._log.open("wb") as log:
            self._process = launch(
                [sys.executable, "-m", "scripts.bank", "--port", port],
                log=log,
                environ=self._variables,
                folder=ROOT,
                at_our_end=signal.SIGTERM,
            )

    def wait(self) -> None:
        """Wait until it answers."""
        process = self._process
        assert process is not None, "launch() comes first"  # noqa: S101

        def settled() -> bool:
            return process.poll() is not None or answers(f"{self._url}/health")

        if (
            not wait_until(settled, BANK_START_SECONDS_MAX)
            or process.poll() is not None
        ):
            raise Failure(f"the sandbox bank did not start: {_last_line(self._log)}")

    def running(self) -> Identity | None:
        """The process that we started, while it lives."""
        if self._process is None or self._process.poll() is not None:
            return None
        return Identity.of(self._process.pid)

    def stop(self) -> None:
        """End it."""
        if running := self.running():
            running.end(signal.SIGTERM, BANK_STOP_SECONDS_MAX)
        if self._process is not None:
            self._process.wait()


def answers(url: str) -> bool:
    """Whether a GET is answered with success."""
    return asked(url)[0]


def asked(url: str) -> tuple[bool, str]:
    """Whether a GET is answered with success, and what was said."""
    try:
        opened = urllib.request.urlopen(url, timeout=HEALTH_SECONDS_MAX)  # noqa: S310
        with opened as answer:
            return answer.status < 400, f"{answer.status} {url}"
    except urllib.error.HTTPError as error:
        body = error.read(ANSWER_BYTES_MAX).decode(errors="replace")
        return False, f"{error.code} {' '.join(body.split())}"
    except OSError as error:
        return False, f"no answer from {url}: {error}"


def read(url: str) -> tuple[bool, str]:
    """Whether a GET is answered with success, and the text of it."""
    try:
        opened = urllib.request.urlopen(url, timeout=HEALTH_SECONDS_MAX)  # noqa: S310
        with opened as answer:
            return True, answer.read(TEXT_BYTES_MAX).decode(errors="replace")
    except OSError as error:
        return False, str(error)


def _last_line(log: Path) -> str:
    said = log.read_text(errors="replace").strip().splitlines()
    return (said or ["no reason given"])[-1]
