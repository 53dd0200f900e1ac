"""A picture of a report, where matplotlib is installed: what happened, and when."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.benching.browsing import Browsed
from scripts.benching.ledger import Look
from scripts.benching.measuring import Measured
from scripts.benching.report import Report
from scripts.benching.series import Moment
from scripts.launcher.failures import Failure

INCHES, ROW_INCHES = 13.0, 3.6
SALES_MAX = 3
"""More of a run are left to the JSON: they look alike."""
PERCENTILES = ("p50", "p95", "p99")


def plot(report: Report, path: Path) -> None:
    """All of it into a file; raises `Failure` without matplotlib."""
    draw(report).savefig(path)


def draw(report: Report) -> Any:
    """One row a picture: each load over time and by process, and each flash sale."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - an extra
    except ImportError:
        raise Failure("--plot needs matplotlib: the extra `notebooks`") from None
    sales = [sale for sale in report.sales if sale.over_time][:SALES_MAX]
    rows = len(report.measured) + bool(sales)
    if not rows:
        raise Failure("--plot has nothing to draw")
    figure = Figure(figsize=(INCHES, ROW_INCHES * rows), layout="constrained")
    grid = figure.subplots(rows, 3, squeeze=False)
    for one, axes in zip(report.measured, grid, strict=False):
        if isinstance(one, Browsed):
            _browsed(one, axes)
        elif isinstance(one, Measured):
            draw_rate(axes[0], one.over_time, _named(one))
            draw_latency(axes[1], one.over_time)
            draw_costs(axes[2], one.cpu_ms_each)
    if sales:
        for axes in grid[-1][len(sales) :]:
            axes.set_axis_off()
        for sale, axes in zip(sales, grid[-1], strict=False):
            draw_stock(axes, sale.over_time, sale.pieces)
    return figure


def draw_rate(axes: Any, moments: Sequence[Moment], title: str) -> None:
    """How many a second, well and not, over time."""
    times = [one.at_seconds for one in moments]
    done = [one.done_per_second for one in moments]
    other = [one.other_per_second for one in moments]
    axes.stackplot(
        times,
        done,
        other,
        labels=("done", "refused or failed"),
        colors=("#4c956c", "#d68c45"),
    )
    _finish(axes, f"{title}: a second", "seconds")
    axes.set_ylim(0, None)


def draw_latency(axes: Any, moments: Sequence[Moment]) -> None:
    """The percentiles of what went well, over time."""
    well = [one for one in moments if one.done_per_second]
    for name in PERCENTILES:
        values = [getattr(one, f"{name}_ms") for one in well]
        axes.plot([one.at_seconds for one in well], values, label=name)
    _logarithmic(axes)
    _finish(axes, "latency, ms", "seconds")


def draw_costs(axes: Any, costs: Mapping[str, float], shown: int = 12) -> None:
    """CPU-ms an operation by process, stacked, the most first; the rest as one."""
    ordered = sorted(costs.items(), key=lambda each: -each[1])
    rest = sum(cost for _, cost in ordered[shown:])
    # The same process has the same colour in every row of a picture.
    colours = dict(zip(sorted(costs), _colours(), strict=False))
    low = 0.0
    for name, cost in [*ordered[:shown], *([("all others", rest)] if rest else [])]:
        colour = colours.get(name, "#bbbbbb")
        axes.barh([0], [cost], left=[low], label=f"{name} {cost:.2f}", color=colour)
        low += cost
    axes.set_yticks([])
    axes.set_ylim(-0.5, 2.5)
    _finish(axes, f"CPU an operation: {low:.2f} ms", "CPU-ms")


def draw_batches(axes: Any, sizes: Mapping[str, float]) -> None:
    """The messages that a shard took into one transaction, on average."""
    names = sorted(sizes, key=lambda name: sizes[name])
    axes.barh(names, [sizes[name] for name in names], color="#4f6d7a")
    axes.set_title("messages in a transaction")


def draw_stock(axes: Any, looks: Sequence[Look], pieces: int) -> None:
    """What lies in stock beside what orders have taken; the two must mirror."""
    times = [look.at_seconds for look in looks]
    free = [look.ledger.on_hand - look.ledger.reserved for look in looks]
    axes.step(times, free, where="post", label="free in stock")
    confirmed = [look.ledger.confirmed for look in looks]
    axes.step(times, confirmed, where="post", label="in confirmed orders")
    pending = [look.ledger.pending for look in looks]
    axes.step(times, pending, where="post", label="orders pending", ls=":")
    cancelled = [look.ledger.cancelled for look in looks]
    axes.step(times, cancelled, where="post", label="orders cancelled", ls=":")
    axes.axhline(pieces, color="black", lw=0.8, ls="--", label="pieces there were")
    _finish(axes, "stock against orders", "seconds")
    axes.set_ylim(0, None)


def _browsed(one: Browsed, axes: Sequence[Any]) -> None:
    """With the near cache beside past it: over time, and by the kind of page."""
    rate, latency, kinds = axes
    names = [name.removesuffix(" p50 ms") for name in one.near if "p50 ms" in name]
    for where, moments, figures in (
        ("near cache", one.near_over_time, one.near),
        ("past it", one.past_over_time, one.past),
    ):
        times = [each.at_seconds for each in moments]
        rate.plot(times, [each.done_per_second for each in moments], label=where)
        for name in ("p50", "p99"):
            values = [getattr(each, f"{name}_ms") for each in moments]
            latency.plot(times, values, label=f"{where}, {name}")
        values = [figures.get(f"{name} p50 ms", 0.0) for name in names]
        kinds.plot(names, values, "o", label=f"{where}, p50")
    rate.set_ylim(0, None)
    _logarithmic(latency)
    _logarithmic(kinds)
    _finish(rate, f"browse, {one.clients} clients: a second", "seconds")
    _finish(latency, "latency, ms", "seconds")
    _finish(kinds, "latency by kind of page, ms", "")


def _named(one: Measured) -> str:
    rate = f", {one.asked_per_second:g}/s due" if one.asked_per_second else ""
    return f"{one.scene}, {one.clients} clients{rate}"


def _colours() -> list[Any]:
    """More of them than a shop of one shard a domain has kinds of processes."""
    from matplotlib import colormaps  # noqa: PLC0415 - an extra

    maps: Any = colormaps
    return [*maps["tab20"].colors, *maps["tab20b"].colors]


def _logarithmic(axes: Any) -> None:
    """With plain numbers beside: 300, not 3 times 10 squared."""
    axes.set_yscale("log")
    for part in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
        part("{x:g}")
    axes.tick_params(axis="y", which="minor", labelsize="xx-small")


def _finish(axes: Any, title: str, along: str) -> None:
    axes.set_title(title, fontsize="medium")
    axes.set_xlabel(along)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize="xx-small", ncols=2)
