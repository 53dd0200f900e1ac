"""cluster.yaml: Ray's own check takes it, and the commands that it names are there."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.autoscaler._private.commands import _bootstrap_config
from ray.autoscaler._private.util import prepare_config, validate_config

from bus.kit.settings import Settings
from scripts.clustering.node import variables

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ("setup_commands", "head_start_ray_commands", "worker_start_ray_commands")


def cluster() -> dict[str, Any]:
    """The file as it is committed."""
    config: dict[str, Any] = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    return config


def test_rays_own_schema_takes_the_file() -> None:
    validate_config(prepare_config(cluster()))


def test_rays_own_schema_would_refuse_a_wrong_one() -> None:
    wrong = prepare_config(cluster()) | {"head_start_commands": []}
    with pytest.raises(Exception, match="head_start_commands"):
        validate_config(wrong)


def test_the_launcher_fills_the_file_in_without_a_complaint(tmp_path: Path) -> None:
    config = prepare_config(cluster()) | {"cluster_name": f"souk-{tmp_path.name}"}
    filled = _bootstrap_config(config, no_config_cache=True)
    assert filled["provider"]["head_ip"] == cluster()["provider"]["head_ip"]


def test_every_command_is_valid_shell_and_names_what_is_there() -> None:
    lines = [line for name in COMMANDS for line in cluster()[name]]
    for line in lines:
        checked = subprocess.run(["bash", "-n", "-c", line], timeout=10, check=False)
        assert checked.returncode == 0, line
        for name in re.findall(r"\./(scripts/[a-z]+)", line):
            assert os.access(ROOT / name, os.X_OK), name
        assert line.startswith(f"cd {next(iter(cluster()['file_mounts']))} && ")


def test_the_head_starts_ray_and_then_the_shop() -> None:
    last_but_one, last = cluster()["head_start_ray_commands"][-2:]
    assert "./scripts/cluster head --port=6379" in last_but_one
    assert "SOUK_RAY_ADDRESS=" in last
    assert last.endswith("./scripts/up --detach")


def test_a_node_gives_ray_the_code_the_token_and_serves_flags(tmp_path: Path) -> None:
    given = variables(Settings(data_dir=tmp_path), tmp_path / "ray.token")
    assert given["PYTHONPATH"].split(os.pathsep)[0] == str(ROOT)
    assert given["RAY_AUTH_MODE"] == "token"
    assert given["RAY_AUTH_TOKEN_PATH"] == str(tmp_path / "ray.token")
    assert given["RAY_SERVE_THROUGHPUT_OPTIMIZED"] == "1"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [([], "usage:"), (["tail"], "usage:"), (["worker"], "ray.token is not there")],
)
def test_a_node_that_cannot_start_says_why_in_one_line(
    tmp_path: Path, arguments: list[str], said: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.clustering", *arguments],
        cwd=ROOT,
        env={**os.environ, "SOUK_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
