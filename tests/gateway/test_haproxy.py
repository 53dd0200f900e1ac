"""What Serve writes for HAProxy: closed by us, and good for the real one."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ray.serve._private.haproxy import (
    BackendConfig,
    HAProxyApi,
    HAProxyConfig,
    ServerConfig,
)
from ray.serve.config import HTTPOptions

from bus.kit.settings import Settings
from serve_app.kit import serving
from serve_app.kit.following import Pace
from serve_app.kit.haproxy_config import (
    CONNECTIONS_BESIDE,
    FILES_BESIDE,
    IDLE_SECONDS_MAX,
    PIPES_MAX,
    SHIELDS,
    TOLD_MIN,
    Room,
    _binary,
    closed,
)
from serve_app.kit.shields import DEFAULT, POLICY, SAME_ORIGIN
from tests.conftest import free_port


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def replica_port() -> int:
    return free_port()


@pytest.fixture
def written(tmp_path: Path, port: int, replica_port: int) -> Path:
    """The configuration that Serve itself writes for one replica, which is down."""
    folder = tmp_path / "edge"
    folder.mkdir(mode=0o755)
    api = HAProxyApi(
        HAProxyConfig(
            socket_path=str(folder / "admin.sock"),
            server_state_base=str(folder),
            server_state_file=str(folder / "server-state"),
            metrics_enabled=False,
            maxconn=100_000,
            stats_port=free_port(),
            metrics_port=free_port(),
            http_options=HTTPOptions(host="127.0.0.1", port=port),
            has_received_routes=True,
            is_head=True,
        ),
        config_file_path=str(folder / "haproxy.cfg"),
    )
    replica = ServerConfig(name="replica", host="127.0.0.1", port=replica_port)
    api.set_backend_configs(
        {
            "gateway": BackendConfig(
                "gateway", "/", app_name="gateway", servers=[replica]
            )
        }
    )
    api._generate_config_file_internal()
    return folder / "haproxy.cfg"


def test_serves_configuration_is_closed(written: Path, port: int) -> None:
    config = written.read_text()
    assert "mode 666" in config
    after = closed(config, host="127.0.0.1", files_max=1_000)
    room = Room.of(config, files_max=1_000, replica_connections_max=4_000)
    binds = re.findall(r"^\s*bind (\S+)", after, flags=re.MULTILINE)
    assert len(binds) == 3
    assert all(bind.startswith("127.0.0.1:") for bind in binds)
    assert f"127.0.0.1:{port}" in binds
    assert "mode 600 level admin" in after
    assert "mode 666" not in after
    assert after.count(room.whole()) == 1
    assert re.findall(r"^\s*maxconn ", after, flags=re.MULTILINE) == ["    maxconn "]
    assert f"error-limit 3 on-error mark-down maxconn {room.replica}\n" in after
    assert after.count("timeout http-request 10s") == 1
    assert after.count("timeout client ") == 1
    assert not re.search(r"^\s*(log|option httplog)", after, flags=re.MULTILINE)
    assert "500.http" not in after


@pytest.mark.parametrize("files_max", [1_000, 4_096, 20_000, 1 << 20])
@pytest.mark.parametrize("replica_max", [100, 4_300])
def test_all_that_may_be_open_at_once_is_within_the_files_that_may_be_opened(
    written: Path, files_max: int, replica_max: int
) -> None:
    room = Room.of(written.read_text(), files_max, replica_max)
    open_most = room.clients + room.told + CONNECTIONS_BESIDE + room.replica
    assert open_most + 2 * PIPES_MAX + FILES_BESIDE <= files_max
    assert room.replica == min(replica_max, (files_max - 250 - 2 * PIPES_MAX) // 2)
    assert room.clients >= min(100_000, files_max // 6)


def test_ten_thousand_connections_fit_into_twenty_thousand_files(
    tmp_path: Path,
) -> None:
    settings = Settings(data_dir=tmp_path)
    behind = serving.replica_connections_max(settings)
    config = f"global\n    maxconn {settings.haproxy_connections_max}\n"
    room = Room.of(config, 20_000, behind)
    assert (room.clients, room.told, room.replica) == (12_000, 600, 4_300)
    assert behind > settings.gateway_ongoing_max + settings.streams_max
    two = Room.of(f"{config}{2 * chr(10)}    server a\n    server b\n", 20_000, behind)
    assert two.clients >= 10_000


def test_it_listens_where_the_settings_say(written: Path, port: int) -> None:
    def listens(host: str) -> bool:
        after = closed(written.read_text(), host=host, files_max=9_000)
        where = {"0.0.0.0": "*", "::1": "[::1]"}.get(host, host)
        return f"frontend http_frontend\n    bind {where}:{port}\n" in after

    assert listens("0.0.0.0")
    assert listens("::1")
    assert listens("10.0.0.7")


def test_the_environment_names_our_wrapper_and_hook(tmp_path: Path) -> None:
    found = serving.environment(Settings(data_dir=tmp_path, http_host="0.0.0.0"))
    assert os.access(found["RAY_SERVE_HAPROXY_BINARY_PATH"], os.X_OK)
    assert found["SOUK_HTTP_HOST"] == "0.0.0.0"
    module, _, name = found["RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH"].rpartition(".")
    assert hasattr(__import__(module, fromlist=[name]), name)


class Replica(BaseHTTPRequestHandler):
    """Answers any GET with what `X-Forwarded-For` said, one line for each."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/stream":
            self.follow()
            return
        if self.path == "/large":
            self.refuse()
            return
        named = self.headers.get_all("X-Forwarded-For") or []
        body = "\n".join(named).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self) -> None:
        """Answer before the body has come, and say nothing of the connection."""
        self.send_response(413)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def follow(self) -> None:
        """Say so little, and so late, as an event stream does."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for n in range(4):
            self.wfile.write(b"3\r\n:%d\n\r\n" % n)
            self.wfile.flush()
            time.sleep(0.9)
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        """Say nothing on the console."""


@pytest.fixture
def replica(replica_port: int) -> Iterator[None]:
    """A replica that is up."""
    server = ThreadingHTTPServer(("127.0.0.1", replica_port), Replica)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def edge(written: Path, port: int) -> Iterator[int]:
    """The real HAProxy, started as Serve starts it, with no replica behind it."""
    with running(written, port):
        yield port


@contextmanager
def running(written: Path, port: int, *command: str, **settings: str) -> Iterator[None]:
    """The real HAProxy, behind our wrapper if no other command is given."""
    process = subprocess.Popen(
        [*(command or [str(serving.HAPROXY)]), "-db", "-f", str(written), "-dR"],
        env={**os.environ, "SOUK_PYTHON": sys.executable, **settings},
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(10)


def said(port: int, request: bytes) -> tuple[bytes, bytes]:
    """The head and the body that a raw request is answered with."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(request)
        raw = b""
        while part := connection.recv(65536):
            raw += part
    head, _, body = raw.partition(b"\r\n\r\n")
    return head, body


@pytest.mark.skipif(not serving.has_haproxy(), reason="no HAProxy for this machine")
def test_the_real_haproxy_takes_it_and_answers_problems(
    edge: int, written: Path
) -> None:
    head, body = said(edge, b"GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    document = json.loads(body)
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1" in head.lower()
    always = {name.lower().encode(): value.encode() for name, value in SHIELDS.items()}
    assert always == dict((*DEFAULT, POLICY, SAME_ORIGIN))
    for name, value in always.items():
        assert b"%b: %b\r\n" % (name, value) in head + b"\r\n"
    assert document["code"] == "unavailable"
    assert f"x-request-id: {document['request_id']}".encode() in head.lower()
    head, _ = said(edge, b"NONSENSE\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert (written.parent.stat().st_mode & 0o777) == 0o700
    assert ((written.parent / "admin.sock").stat().st_mode & 0o777) == 0o600


@pytest.mark.skipif(not serving.has_haproxy(), reason="no HAProxy for this machine")
@pytest.mark.usefixtures("replica")
@pytest.mark.parametrize(
    "sent", ["", "X-Forwarded-For: 1.2.3.4, 5.6.7.8\r\nX-Forwarded-For: 9.9.9.9\r\n"]
)
def test_the_edge_is_told_the_address_that_the_client_has(edge: int, sent: str) -> None:
    request = f"GET /x HTTP/1.1\r\nHost: x\r\n{sent}Connection: close\r\n\r\n"
    head, body = said(edge, request.encode())
    assert head.startswith(b"HTTP/1.1 200 ")
    assert body == b"127.0.0.1"


@pytest.mark.skipif(not serving.has_haproxy(), reason="no HAProxy for this machine")
@pytest.mark.usefixtures("replica")
def test_a_connection_ends_with_the_body_that_was_too_large(edge: int) -> None:
    head, _ = said(edge, b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in head.lower()


@pytest.mark.skipif(not serving.has_haproxy(), reason="no HAProxy for this machine")
@pytest.mark.usefixtures("replica")
@pytest.mark.parametrize(
    ("proxies", "told"),
    [
        ("127.0.0.0/8, 10.0.0.0/8", b"198.51.100.9\n127.0.0.1"),
        ("10.0.0.0/8", b"127.0.0.1"),
        ("1", b"198.51.100.9\n127.0.0.1"),
    ],
)
def test_a_proxy_before_it_has_its_word_only_if_it_is_trusted(
    written: Path, port: int, proxies: str, told: bytes
) -> None:
    request = (
        b"GET /x HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 198.51.100.9\r\n"
        b"Connection: close\r\n\r\n"
    )
    with running(written, port, SOUK_TRUSTED_PROXIES=proxies):
        _, body = said(port, request)
    assert body == told


@pytest.mark.full
@pytest.mark.skipif(not serving.has_haproxy(), reason="no HAProxy for this machine")
@pytest.mark.usefixtures("replica")
def test_a_stream_lives_by_its_comments_and_nothing_is_held_back(
    written: Path, port: int
) -> None:
    assert 2 * Pace().comment_seconds < IDLE_SECONDS_MAX
    config = closed(written.read_text(), host="127.0.0.1", files_max=1_000)
    # The same time-outs for an impatient test: shorter than the stream, longer than
    # its silences.
    assert config.count(f" {IDLE_SECONDS_MAX}s\n") == 2
    written.write_text(config.replace(f" {IDLE_SECONDS_MAX}s\n", " 3s\n"))
    request = b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"
    came: list[tuple[bytes, float]] = []
    with (
        running(written, port, _binary()),
        socket.create_connection(("127.0.0.1", port), timeout=5) as connection,
    ):
        connection.sendall(request)
        began = time.monotonic()
        raw = b""
        while b"\r\n0\r\n\r\n" not in raw and (part := connection.recv(65536)):
            raw += part
            came += [(each, time.monotonic()) for each in re.findall(rb":\d\n", part)]
    assert [each for each, _ in came] == [b":0\n", b":1\n", b":2\n", b":3\n"]
    assert came[0][1] - began < 0.9
    assert came[3][1] - began > 2.5


def served(connection: socket.socket) -> tuple[bytes, bytes]:
    """What a connection's next request is answered with, as long as it says."""
    connection.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
    raw = b""
    while b"\r\n\r\n" not in raw:
        raw += connection.recv(65536)
    head, _, body = raw.partition(b"\r\n\r\n")
    found = re.search(rb"content-length: (\d+)", head.lower())
    assert found is not None, head
    while len(body) < int(found[1]):
        body += connection.recv(65536)
    return head, body


@pytest.mark.skipif(not serving.has_haproxy(), reason="no HAProxy for this machine")
@pytest.mark.usefixtures("replica")
def test_past_its_connections_it_says_so_and_who_came_in_time_is_served(
    written: Path, port: int
) -> None:
    most = 5
    written.write_text(written.read_text().replace("maxconn 100000", f"maxconn {most}"))
    with running(written, port), ExitStack() as kept:

        def connect() -> socket.socket:
            made = socket.create_connection(("127.0.0.1", port), timeout=5)
            return kept.enter_context(made)

        first: list[socket.socket] = []
        until = time.monotonic() + 5
        while len(first) < most:  # whoever looked for it may still be counted
            assert time.monotonic() < until
            came = connect()
            if served(came)[0].startswith(b"HTTP/1.1 200 "):
                first.append(came)
        for _ in range(TOLD_MIN):
            with connect() as told:
                head, body = served(told)
                assert head.startswith(b"HTTP/1.1 503 ")
                assert b"retry-after: 1" in head.lower()
                assert b"connection: close" in head.lower()
                assert json.loads(body)["code"] == "unavailable"
                assert told.recv(1) == b""
        idle = []
        with suppress(ConnectionResetError):
            while len(idle) <= 2 * TOLD_MIN:
                idle.append(connect())
                idle[-1].settimeout(0.05)
                with suppress(TimeoutError):
                    assert idle[-1].recv(1) == b""
                    break
        assert 1 <= len(idle) <= TOLD_MIN + 2
        for each in (*first, *first):
            assert served(each)[0].startswith(b"HTTP/1.1 200 ")
        for each in (*idle, first[0]):
            each.close()
        until = time.monotonic() + 5
        while True:  # until HAProxy has seen that there is room
            assert time.monotonic() < until
            with suppress(ConnectionResetError):
                head = served(connect())[0]
                if head.startswith(b"HTTP/1.1 200 "):
                    break
                assert head.startswith(b"HTTP/1.1 503 ")
