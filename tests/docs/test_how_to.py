"""What the how-to pages show in Python, run as it is written."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.docs.running import Address

ROOT = Path(__file__).resolve().parents[2]
SECONDS_MAX = 60


def test_a_program_calls_the_shop_over_nats(running_shop: Address) -> None:
    page = (ROOT / "docs/how-to/call-over-nats.md").read_text()
    (program,) = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "SOUK_DATA_DIR": running_shop.data_dir},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "one mail is on its way",
        "404 not-found: No such SKU.",
    ]
