"""`status`: what runs, where, and whether it is ready."""

import re
from collections import defaultdict

from rich.console import Console
from rich.table import Table

from bus.kit.families import STANDBY_ADOPTED, STANDBY_UP
from bus.kit.settings import Settings
from scripts.launcher.record import Run
from scripts.launcher.servers import asked, read

_LABEL = re.compile(r'([a-z_]+)="([^"]*)"')


def show_status(settings: Settings) -> int:
    """Print it; 0 when the shop is up and ready, else 1."""
    console = Console(highlight=False)
    run = Run.read(settings.data_dir)
    if run is None or not run.keeper.alive():
        console.print(f"the shop in {settings.data_dir} is not running")
        return 1
    parts = Table(box=None, pad_edge=False)
    for heading in ("part", "process", "state"):
        parts.add_column(heading)
    for name, process in {"keeper": run.keeper, **run.processes}.items():
        parts.add_row(name, str(process.pid), "runs" if process.alive() else "ended")
    console.print(parts)
    ports = "  ".join(f"{name} {port}" for name, port in run.ports.items())
    console.print(f"ports  {ports}")
    ready, words = _ready(run)
    console.print(f"ready  {words}")
    up, text = read(f"{run.urls['local']}/metrics") if run.ready else (False, "")
    told = text if up else ""
    for words in standbys(told):
        console.print(f"standby  {words}")
    console.print(f"audit  {_audit(told)}")
    return 0 if ready else 1


def _ready(run: Run) -> tuple[bool, str]:
    """What the shop says of itself."""
    if not run.ready:
        return False, "still starting"
    return asked(f"{run.urls['local']}/health/ready")


def standbys(told: str) -> list[str]:
    """Each standby, whether it is there, and the shards that it answers for."""
    up, holds = dict[str, bool](), defaultdict[str, list[str]](list)
    for line in told.splitlines():
        name, _, rest = line.partition("{")
        labels = dict(_LABEL.findall(rest))
        if name == STANDBY_UP.name:
            up[labels["standby"]] = line.endswith(" 1")
        elif name == STANDBY_ADOPTED.name:
            holds[labels["standby"]].append(f"{labels['domain']}/{labels['shard']}")
    return [
        f"{number}  {_doing(is_there, holds[number])}"
        for number, is_there in sorted(up.items())
    ]


def _doing(is_there: bool, held: list[str]) -> str:
    if not is_there:
        return "is away"
    return f"answers for {', '.join(sorted(held))}" if held else "waits"


def _audit(told: str) -> str:
    """What the standing audit has come to, as the metrics tell it."""
    values = dict(line.rsplit(" ", 1) for line in told.splitlines() if line[:1] != "#")
    found = values.get("souk_audit_open_findings")
    if found is None:
        return "does not run"
    if found != "0":
        return f"{found} findings stand: see the alerts, or scripts/audit"
    return "nothing stands"
