"""`status`: what runs, where, and whether it is ready."""

from rich.console import Console
from rich.table import Table

from bus.kit.settings import Settings
from scripts.launcher.record import Run
from scripts.launcher.servers import asked, read


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
    console.print(f"audit  {_audit(run)}")
    return 0 if ready else 1


def _ready(run: Run) -> tuple[bool, str]:
    """What the shop says of itself."""
    if not run.ready:
        return False, "still starting"
    return asked(f"{run.urls['local']}/health/ready")


def _audit(run: Run) -> str:
    """What the standing audit has come to, as the metrics tell it."""
    up, text = read(f"{run.urls['local']}/metrics") if run.ready else (False, "")
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[:1] != "#")
    found = values.get("souk_audit_open_findings")
    if not up or found is None:
        return "does not run"
    if found != "0":
        return f"{found} findings stand: see the alerts, or scripts/audit"
    return "nothing stands"
