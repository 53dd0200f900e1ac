"""The page of metrics: every family that `/metrics` tells."""

from bus.kit.families import FAMILIES
from bus.kit.metrics import SERIES_MAX
from scripts.referencing.markdown import page, table

INTRODUCTION = f"""\
`GET /metrics` of any gateway replica tells all of them in Prometheus' text format: the
replica's own, and those of every shard and bridge, which it asks when it is scraped (at
most once a second). One that does not answer within a second is missing, and
`souk_shard_up` or `souk_bridge_up` is 0.
[How to watch the shop](../how-to/watch-the-shop.md) says how to scrape it. Counters
begin at 0 when their process starts. A
family has at most {SERIES_MAX} series a process; what comes after is counted under
`other`. No label holds anything of a person, and a route is always its template."""

HEADS = ("metric", "type", "labels", "meaning")


def metrics_page() -> str:
    """`docs/reference/metrics.md`."""
    rows = [
        (
            f"`{one.name}`",
            one.kind,
            ", ".join(f"`{label}`" for label in one.labels),
            one.words,
        )
        for one in FAMILIES
    ]
    return page("Metrics", INTRODUCTION, table(HEADS, rows))
