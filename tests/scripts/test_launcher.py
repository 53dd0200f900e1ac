"""The launcher's own parts: secrets, the record of a run, refusals to start."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bus.kit.settings import Settings, SettingsError
from scripts.embedded.process import Identity, wait_until
from scripts.launcher import checks, cluster, ending
from scripts.launcher.environment import (
    ROOT,
    chosen_ports,
    completed,
    connections_max,
    embedded_databases,
    has_bank,
)
from scripts.launcher.failures import Exit, Failure
from scripts.launcher.keys import ensure_secrets, read_credentials, write_credentials
from scripts.launcher.record import MARK, Run, sole_keeper
from scripts.launcher.servers import callers
from tests.conftest import free_port

COMMAND_SECONDS_MAX = 60


def _command(
    *arguments: str, environ: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scripts.launcher", *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS_MAX,
        check=False,
    )


def _sleeper(mark: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "60"], env={**os.environ, MARK: mark})


def test_secrets_are_made_once_and_kept_for_their_owner_only(tmp_path: Path) -> None:
    first = ensure_secrets(tmp_path, ["orders"])
    second = ensure_secrets(tmp_path, ["orders", "users"])
    assert second["jwt_keys"] == first["jwt_keys"]
    assert second["databases"]["orders"] == first["databases"]["orders"]
    assert set(second["databases"]) == {"orders", "users"}
    for name in ("secrets.json", "ray.token"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_callers_of_services_have_words_of_their_own(tmp_path: Path) -> None:
    first = ensure_secrets(tmp_path, [], ["billing", "stock"])["nats"]
    assert set(first) == {"souk", "events", "services", "billing", "stock"}
    assert len(set(first.values())) == 5
    second = ensure_secrets(tmp_path, [], ["billing"])["nats"]
    assert second == {name: word for name, word in first.items() if name != "stock"}


def test_who_may_call_what_is_set_or_has_a_default() -> None:
    found = callers(Settings())
    assert sorted(found) == ["inventory", "messages", "payments"]
    assert found["payments"] == (
        "payment.add-method",
        "payment.process",
        "payment.process-refund",
    )
    text = '{"till": ["payment.process", "inventory.*"]}'
    assert callers(Settings(nats_callers=text)) == {
        "till": (
            "inventory.get-stock",
            "inventory.reserve-stock",
            "inventory.update-stock",
            "payment.process",
        )
    }
    assert callers(Settings(nats_callers="{}")) == {}
    with pytest.raises(SettingsError, match=r"till may call payment\.proces, which"):
        callers(Settings(nats_callers='{"till": ["payment.proces"]}'))


@pytest.mark.parametrize(
    "text",
    [
        "till",
        '{"till": "payment.process"}',
        '{"till": []}',
        '{"souk": ["payment.process"]}',
        '{"services": ["payment.process"]}',
        '{"Till 1": ["payment.process"]}',
        '{"till": [">"]}',
        '{"till": ["*"]}',
        '{"till": ["$JS.API.>"]}',
        '{"till": ["events.orders.order_placed"]}',
    ],
)
def test_a_caller_that_cannot_be_stops_the_start(text: str) -> None:
    with pytest.raises(SettingsError, match=r"^SOUK_NATS_CALLERS: "):
        Settings.load({"SOUK_NATS_CALLERS": text})


def test_accounts_are_added_to_those_that_are_known(tmp_path: Path) -> None:
    write_credentials(tmp_path, {"admin": {"email": "a@b.example"}})
    path = write_credentials(tmp_path, {"nats": "x"})
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_credentials(tmp_path) == {
        "admin": {"email": "a@b.example"},
        "nats": "x",
    }


def test_what_is_outside_is_not_started_here() -> None:
    given = Settings.load(
        {"SOUK_ORDERS_DATABASE_URL": "postgresql://x", "SOUK_BANK_URL": "http://y"}
    )
    assert "orders" not in embedded_databases(given)
    assert "bank" not in embedded_databases(given)
    assert "users" in embedded_databases(given)


def test_in_production_no_sandbox_bank_is_started(tmp_path: Path) -> None:
    given = Settings(
        profile="production", jwt_keys="k", encryption_keys="k", data_dir=tmp_path
    )
    assert not has_bank(given)
    assert "bank" not in embedded_databases(given)
    assert "orders" in embedded_databases(given)
    secrets = ensure_secrets(tmp_path, embedded_databases(given))
    assert completed(given, secrets, chosen_ports(given)).bank_url == ""
    assert "bank" not in secrets["databases"]
    assert has_bank(Settings(data_dir=tmp_path))


def test_completed_settings_name_everything_that_runs(tmp_path: Path) -> None:
    given = Settings.load({"SOUK_DATA_DIR": str(tmp_path), "SOUK_HTTP_PORT": "3100"})
    names = embedded_databases(given)
    full = completed(given, ensure_secrets(tmp_path, names), chosen_ports(given))
    assert full.public_url == "http://127.0.0.1:3100"
    assert all(full.database_url(name) for name in names)
    assert full.jwt_keys
    assert full.encryption_keys
    assert full.smtp_port
    assert connections_max(full) >= 8 * full.shard_connections_max + 20


def test_settings_are_completed_with_the_ports_of_the_shop_that_runs(
    tmp_path: Path,
) -> None:
    given = Settings.load({"SOUK_DATA_DIR": str(tmp_path)})
    ports = {**chosen_ports(given), "postgres": 5900, "nats": 4900}
    full = completed(given, ensure_secrets(tmp_path, ["orders"]), ports)
    assert urlsplit(full.database_url("orders")).port == 5900
    assert urlsplit(full.nats_url).port == 4900


def test_only_marked_processes_are_ended() -> None:
    keeper = Identity.of(os.getpid())
    assert keeper is not None
    run = Run("mark-of-this-test", keeper)
    ours, other = _sleeper("mark-of-this-test"), _sleeper("another-mark")
    try:
        assert wait_until(lambda: len(run.leftovers()) == 1, 5)
        assert run.end_leftovers() == 1
        assert ours.wait(5) == -signal.SIGTERM
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_pid_that_was_given_to_another_process_is_left_alone(tmp_path: Path) -> None:
    sleeper = _sleeper("another-mark")
    try:
        stale = Identity(sleeper.pid, 1.0)
        Run("gone", stale, processes={"nats": stale}).write(tmp_path)
        assert ending.end(tmp_path) is False
        assert sleeper.poll() is None
        assert Run.read(tmp_path) is None
    finally:
        sleeper.kill()
        sleeper.wait()


def test_a_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    keeper = Identity(1, 2.5)
    run = Run("m", keeper, ports={"http": 3000}, processes={"nats": Identity(3, 4.5)})
    run.write(tmp_path)
    assert Run.read(tmp_path) == run


def test_one_folder_has_one_keeper(tmp_path: Path) -> None:
    with (
        sole_keeper(tmp_path),
        pytest.raises(Failure, match="already running"),
        sole_keeper(tmp_path),
    ):
        pass


def test_purging_deletes_only_what_the_shop_made(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    ensure_secrets(data_dir, ["orders"])
    (data_dir / "nats").mkdir()
    (data_dir / "mine.txt").write_text("keep")
    ending.purge(data_dir)
    assert [path.name for path in data_dir.iterdir()] == ["mine.txt"]


def test_a_full_disk_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "DISK_FREE_BYTES_MIN", 1 << 60)
    with pytest.raises(Failure, match="MiB free, at least") as caught:
        checks.check_room(tmp_path / "data")
    assert caught.value.code is Exit.NO_ROOM


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Failure, match="cannot write to") as caught:
        checks.check_room(tmp_path / "file" / "data")
    assert caught.value.code is Exit.NO_ROOM


def test_a_taken_port_ends_the_start_with_nothing_left(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = _command(
            "up",
            environ={
                "SOUK_DATA_DIR": str(tmp_path / "data"),
                "SOUK_HTTP_PORT": str(port),
                "SOUK_NATS_PORT": str(free_port()),
                "SOUK_PG_PORT": str(free_port()),
            },
        )
    assert ended.returncode == Exit.PORT_TAKEN
    expected = f"port {port} is already taken: free it or set SOUK_HTTP_PORT to another"
    assert ended.stdout + ended.stderr == f"error: {expected}\n"
    assert not (tmp_path / "data" / "run.json").exists()


def test_a_bad_setting_ends_every_command_with_one_line() -> None:
    for command in ("up", "down", "status"):
        ended = _command(command, environ={"SOUK_HTTP_PORT": "many"})
        assert ended.returncode == Exit.BAD_SETTING
        assert ended.stderr.startswith("error: SOUK_HTTP_PORT: ")
        assert ended.stderr.count("\n") == 1


def test_status_says_that_nothing_runs(tmp_path: Path) -> None:
    ended = _command("status", environ={"SOUK_DATA_DIR": str(tmp_path)})
    assert ended.returncode == 1
    assert "is not running" in " ".join(ended.stdout.split())


def test_the_locks_name_no_index_and_no_folder() -> None:
    for name in ("requirements.lock", "requirements-test.lock"):
        lock = (ROOT / name).read_text()
        assert "://" not in lock
        assert "file:" not in lock
        assert "--index" not in lock
        assert "--find-links" not in lock
        packages = [line for line in lock.splitlines() if "==" in line]
        assert len(packages) > 100
        assert lock.count("--hash=sha256:") >= len(packages)


def test_the_record_is_plain_json(tmp_path: Path) -> None:
    Run("m", Identity(1, 2.5)).write(tmp_path)
    assert json.loads((tmp_path / "run.json").read_text())["keeper"]["pid"] == 1


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_a_cluster_that_does_not_answer_is_named_at_once(tmp_path, scheme) -> None:
    address = f"{scheme}127.0.0.1:{free_port()}"
    settings = Settings(data_dir=tmp_path, ray_address=address)
    with pytest.raises(Failure, match=f"nothing answers at {address}"):
        cluster.start(settings, tmp_path)
