"""A picture of a report, where matplotlib is installed."""

from pathlib import Path

from scripts.benching.measuring import Measured
from scripts.benching.running import Report
from scripts.launcher.failures import Failure

INCHES = (11.0, 4.0)


def plot(report: Report, path: Path) -> None:
    """Rate, latency and CPU by clients; raises `Failure` without matplotlib."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - an extra
    except ImportError:
        raise Failure("--plot needs matplotlib: the extra `notebooks`") from None
    rows = [one for one in report.measured if isinstance(one, Measured)]
    if not rows:
        raise Failure("--plot draws no report of this scene; --json has its figures")
    clients = [str(one.clients) for one in rows]
    figure = Figure(figsize=INCHES, layout="constrained")
    rate, latency, cpu = figure.subplots(1, 3)
    rate.plot(
        clients, [one.answered_per_second for one in rows], "o-", label="answered"
    )
    rate.plot(clients, [one.per_second for one in rows], "o-", label="last effect")
    rate.set(title=f"{rows[0].scene}, a second", ylim=(0, None))
    for name in ("p50_ms", "p95_ms", "p99_ms"):
        times = [getattr(one, name) for one in rows]
        latency.plot(clients, times, "o-", label=name[:3])
    latency.set(title="latency, ms", yscale="log")
    bottom = [0.0] * len(rows)
    for name in sorted({name for one in rows for name in one.cpu_ms_each}):
        costs = [one.cpu_ms_each.get(name, 0.0) for one in rows]
        cpu.bar(clients, costs, bottom=bottom, label=name)
        bottom = [low + cost for low, cost in zip(bottom, costs, strict=True)]
    cpu.set(title="CPU-ms an operation")
    for axes in (rate, latency, cpu):
        axes.set_xlabel("clients")
        axes.legend(fontsize="xx-small")
    figure.savefig(path)
