"""What the edge is held against: servers that do nothing, and its own hot reads."""

from scripts.benching.aims import Aim
from scripts.benching.flash import Rates
from scripts.benching.measuring import Measured
from scripts.benching.yardsticks import Yardsticks


def rate_aims(rates: Rates) -> list[Aim]:
    """How fast the edge and the domain refuse what is sold out."""
    return [
        Aim(
            key="edge-refusals-by-hot-reads",
            what="refusals by the edge by reads of one product",
            figure=rates.edge_ratio,
            aim=0.8,
        ),
        Aim(
            key="domain-refusals-by-orders",
            what="refusals by the domain by orders",
            figure=rates.domain_ratio,
            aim=2.0,
        ),
    ]


def yardstick_aims(one: Measured, beside: Yardsticks) -> list[Aim]:
    """The do-nothing route and, where it was measured, the hot read beside others."""
    aims = [
        Aim(
            key="noop-by-flags",
            what="/dev/noop by the same in an empty application with the same flags",
            figure=one.noop_per_second / beside.flags_per_second,
            aim=0.8,
        )
    ]
    if one.scene != "hot":
        return aims
    return [
        Aim(
            key="hot-by-serve",
            what="reads of one product by stock Serve's do-nothing route",
            figure=one.answered_per_second / beside.serve_per_second,
            aim=10.0,
        ),
        Aim(
            key="hot-by-uvicorn",
            what="reads of one product by bare uvicorn's do-nothing route",
            figure=one.answered_per_second / beside.uvicorn_per_second,
            aim=0.8,
        ),
        *aims,
    ]
