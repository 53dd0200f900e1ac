"""Figures that a long proof hands to the report of `scripts/test --full`."""

import json
import os
from pathlib import Path


def note(**figures: object) -> None:
    """Add figures; nothing happens where no report is being made."""
    if name := os.environ.get("SOUK_FIGURES"):
        path = Path(name)
        known = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps({**known, **figures}, indent=2))
