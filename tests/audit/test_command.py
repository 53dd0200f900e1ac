"""The command: what it waits for, what it prints, how it ends."""

import os
import subprocess
import sys
from pathlib import Path

import asyncpg

from actors import DOMAINS
from actors.auditing.books import name_of
from actors.auditing.checks import CHECKS
from bus.kit.settings import Settings
from scripts.auditing import streaming
from scripts.auditing.commands import run_audit
from scripts.auditing.place import Place, consumed_kinds, running_place
from scripts.auditing.rest import wait_for_rest
from scripts.embedded.process import Identity
from scripts.launcher.keys import ensure_secrets
from scripts.launcher.record import Run
from tests.audit.shop import SHARDS, Sold

ROOT = Path(__file__).resolve().parents[2]


def ended(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The command, run to its end on a data folder."""
    return subprocess.run(
        [sys.executable, "-m", "scripts.auditing", *arguments],
        cwd=ROOT,
        env={**os.environ, "SOUK_DATA_DIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def place_of(sold: Sold) -> Place:
    """Where the shop that sold is."""
    myself = Identity.of(os.getpid())
    assert myself is not None
    return Place(
        settings=Settings(shards_each=SHARDS),
        urls=sold.urls,
        nats_url=sold.nats_url,
        run=Run(mark="tests", keeper=myself),
        consumers=consumed_kinds(),
    )


def test_the_pools_are_as_large_as_the_start_has_made_them(tmp_path: Path) -> None:
    myself = Identity.of(os.getpid())
    assert myself is not None
    ensure_secrets(tmp_path, [*DOMAINS, "bank"])
    ports = {"postgres": 1, "nats": 2, "smtp": 3, "bank": 4}
    run = Run(mark="m", keeper=myself, ports=ports, shards={"orders": 2})
    run.write(tmp_path)
    told = Settings(data_dir=tmp_path, shard_counts={"orders": 1, "users": 3})
    found = running_place(told).settings
    sizes = [found.shards(name) for name in ("orders", "users", "files")]
    assert sizes == [2, 3, 1]


async def test_a_whole_audit_counts_what_it_read_and_finds_nothing(sold: Sold) -> None:
    verdict = await run_audit(place_of(sold), settle_seconds=5)
    assert verdict.violations == []
    assert verdict.rest.reached
    assert verdict.counts["orders"] == len(sold.ids) - 1  # one id is the person's
    assert verdict.words().startswith(f"no violation by {len(CHECKS)} checks")


async def test_what_is_still_under_way_is_named_after_a_bounded_wait(
    sold: Sold,
) -> None:
    connection = await asyncpg.connect(sold.urls["payments"])
    nats = await streaming.connect(sold.nats_url)
    await connection.execute(
        "INSERT INTO handled (command_id, day, slot, state)"
        " VALUES (gen_random_uuid(), current_date, 0, 0)"
    )
    try:
        rest = await wait_for_rest(sold.urls, nats, 0.5)
        assert not rest.reached
        assert len(rest.waiting) == 1
        assert "payments processes 1" in rest.words()
        verdict = await run_audit(place_of(sold), settle_seconds=0.1)
        assert [one.check for one in verdict.violations] == ["process-finished"]
    finally:
        await connection.execute("DELETE FROM handled WHERE state = 0")
        await connection.close()
        await nats.close()


def test_without_a_running_shop_it_says_so_in_one_line(tmp_path: Path) -> None:
    end = ended(folder=tmp_path)
    assert end.returncode == 2
    assert end.stderr == f"error: the shop in {tmp_path} is not running\n"


def test_it_lists_its_checks(tmp_path: Path) -> None:
    lines = ended("--list", folder=tmp_path).stdout.splitlines()
    assert [line.split()[0] for line in lines] == [name_of(check) for check in CHECKS]
