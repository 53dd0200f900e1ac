"""The README's commands, run as they are written."""

import os
import re
import subprocess
from pathlib import Path

from tests.docs.running import Address

ROOT = Path(__file__).resolve().parents[2]
WRITTEN_FOR = "http://127.0.0.1:3000"
SECONDS_MAX = 120


def bash_blocks(text: str) -> str:
    """All `bash` blocks of a page: the later ones use what the earlier ones set."""
    return "\n".join(
        re.findall(r"^```bash\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    )


def run(script: str, shop: Address) -> str:
    """What the blocks print; only the shop's address is another one."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script.replace(WRITTEN_FOR, shop.url)],
        cwd=ROOT,
        env={**os.environ, "SOUK_DATA_DIR": shop.data_dir},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_readme_buys_as_a_guest_and_as_a_person(running_shop: Address) -> None:
    script = bash_blocks((ROOT / "README.md").read_text())
    assert WRITTEN_FOR in script
    said = run(script, running_shop)
    assert '"code":' not in re.sub(r'"errors":\[.*?\]', "", said), said
    assert said.count('"status":"CONFIRMED"') >= 2
    assert '"status":"REFUNDED"' in said or '"status":"CANCELLED"' in said
    assert "Your order" in said
    assert "orders.order_confirmed.v1" in said
    assert "orders.order_cancelled.v1" in said


def test_the_readme_shows_the_stock_fall_by_one(running_shop: Address) -> None:
    script = bash_blocks((ROOT / "README.md").read_text())
    first_order = script[: script.index("curl -s -X PUT")]
    said = run(first_order, running_shop)
    before, after = re.findall(r'"sku":"CERAM-TEAPO-MOSS","available":(\d+)\}', said)
    assert int(after) == int(before) - 1
