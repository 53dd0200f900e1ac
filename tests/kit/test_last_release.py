"""The code of before each domain's newest migration, on tables of the newest code."""

import os
import shutil
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from actors import DOMAINS

ROOT = Path(__file__).resolve().parents[2]
RUN_SECONDS_MAX = 900
USED_BY = {
    "files": ["tests/files/test_files.py"],
    "inventory": ["tests/inventory/test_stock.py"],
    "kit": ["tests/kit/test_processes.py"],
    "messaging": ["tests/messaging/test_delivery.py"],
    "notifications": ["tests/notifications/test_notifications.py"],
    "orders": ["tests/orders/test_placing.py"],
    "payments": ["tests/payments/test_charges.py"],
    "products": ["tests/products/test_reviews.py"],
    "users": ["tests/users/test_accounts.py"],
}
"""Tests of the release of before that use a domain's statements; placing uses five."""

EARLY = "0002 is older than released.json, the first promise: it wants `media_type`"

NEWEST_TABLES = '''
"""A plugin of pytest: databases are migrated by the newest code, in its own process."""
import asyncio, os, sys
from persistence.kit import migrations

SAID = "import asyncio, sys; from persistence.kit.migrations import migrate; " \\
    "asyncio.run(migrate(sys.argv[1], sys.argv[2], int(sys.argv[3])))"

async def migrate(domain, url, shards=1):
    newest = os.environ["NEWEST_CODE"]
    made = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SAID, domain, url, str(shards), cwd=newest,
        env={**os.environ, "PYTHONPATH": newest})
    assert await made.wait() == 0, f"the newest code does not migrate {domain}"

migrations.migrate = migrate
'''


def git(*words: str) -> bytes:
    """What git says; the test is skipped where there is no history."""
    program = shutil.which("git")
    if program is None:
        pytest.skip("there is no git")
    said = subprocess.run([program, *words], cwd=ROOT, capture_output=True, check=False)
    if said.returncode:
        pytest.skip(f"git {words[0]}: {said.stderr.decode().strip()}")
    return said.stdout


def release_before(name: str) -> str:
    """The last commit before the one that added the newest migration of `name`."""
    folder = f"persistence/migrations/{name}"
    newest = git("log", "-1", "--diff-filter=A", "--format=%H", "--", folder)
    if not newest.strip():
        pytest.skip("this history does not reach back to the newest migration")
    return git("rev-parse", f"{newest.decode().strip()}^").decode().strip()


@pytest.mark.full
@pytest.mark.parametrize(
    "name",
    [
        *(name for name in [*DOMAINS, "kit"] if name != "files"),
        pytest.param(
            "files",
            marks=pytest.mark.xfail(strict=True, raises=AssertionError, reason=EARLY),
        ),
    ],
)
def test_the_release_before_works_on_the_newest_tables(
    tmp_path: Path, name: str
) -> None:
    before = release_before(name)
    tests = [one for one in USED_BY[name] if git("ls-tree", before, one).strip()]
    if not tests:
        pytest.skip(f"{before[:9]} has none of {USED_BY[name]}")
    code = tmp_path / "before"
    with tarfile.open(fileobj=BytesIO(git("archive", before))) as archive:
        archive.extractall(code, filter="data")
    (tmp_path / "newest_tables.py").write_text(NEWEST_TABLES)
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "-p",
            "newest_tables",
            "-p",
            "no:cacheprovider",
            *tests,
        ],
        cwd=code,
        env={
            **os.environ,
            "PYTHONPATH": f"{tmp_path}{os.pathsep}{code}",
            "NEWEST_CODE": str(ROOT),
        },
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS_MAX,
        check=False,
    )
    assert ran.returncode == 0, f"{before[:9]}: {ran.stdout[-4000:]}{ran.stderr[-500:]}"
