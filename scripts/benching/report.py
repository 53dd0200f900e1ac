"""What a run of the bench is asked for, and what it found."""

from pathlib import Path

import msgspec

from scripts.auditing.commands import Verdict
from scripts.benching.aims import Aim
from scripts.benching.browsing import Browsed
from scripts.benching.costs import not_durable
from scripts.benching.crowding.figures import Connections
from scripts.benching.events import Events
from scripts.benching.filling import Imported
from scripts.benching.flash import Rates, Sale, faults
from scripts.benching.growing.growth import Growth
from scripts.benching.holding import Holds
from scripts.benching.marketplace.data import Keys, Size
from scripts.benching.marketplace.measuring import Checked, Marketed
from scripts.benching.measuring import Measured
from scripts.benching.ordering import Process
from scripts.benching.overload import Overload
from scripts.benching.pairing import Asks
from scripts.benching.soaking.soak import Soak
from scripts.benching.yardsticks import Yardsticks

Part = Holds | Asks | Process | Events | Overload | Connections | Growth | Soak
"""What a scene of a kind of its own found, which says its own faults and aims."""


class Long(msgspec.Struct, frozen=True, kw_only=True):
    """Of what runs long: the sizes of growth and where its shop is kept; a soak."""

    sizes: tuple[int, ...]
    minutes: float
    folder: Path | None


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be measured; see the options of the command."""

    scene: str
    clients: tuple[int, ...]
    seconds: float
    rate: float = 0.0
    processes: int = 0
    products: int = 10_000
    buyers: int = 2_000
    pieces: int = 100
    connections: int = 10_000
    streams: int = 2_000
    times: int = 1
    kill: str = ""
    backlog: int = 100_000
    yardsticks: bool = False
    from_ray: bool = False
    url: str = ""
    watch: bool = False
    long: Long = Long(sizes=(), minutes=0.0, folder=None)
    keys: tuple[Keys, ...] = (Keys.UNIFORM, Keys.ZIPF)
    size: Size = Size()


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a run found; a scene of a kind of its own stands by its name."""

    cpus: int
    seconds: float
    durability: dict[str, dict[str, str]]
    measured: list[Measured] | list[Browsed]
    audit: Verdict
    sales: list[Sale] = []
    rates: Rates | None = None
    holds: Holds | None = None
    asks: Asks | None = None
    process: Process | None = None
    events: Events | None = None
    overload: Overload | None = None
    connections: Connections | None = None
    growth: Growth | None = None
    soak: Soak | None = None
    yardsticks: Yardsticks | None = None
    imported: Imported | None = None
    aims: list[Aim] = []
    marketed: list[Marketed] = []
    checked: list[Checked] = []

    @property
    def parts(self) -> list[Part]:
        """What was measured of a kind of its own."""
        parts: tuple[Part | None, ...] = (
            *(self.holds, self.asks, self.process, self.events, self.overload),
            *(self.connections, self.growth, self.soak),
        )
        return [part for part in parts if part is not None]

    def faults(self) -> list[str]:
        """Why the figures do not count: nothing when all is as it must be."""
        found = [
            f"{one.check}: {one.ids}: {one.detail}" for one in self.audit.violations
        ]
        found += not_durable(self.durability)
        found += [fault for sale in self.sales for fault in faults(sale)]
        found += [fault for part in self.parts for fault in part.faults()]
        found += [
            f"{one.criterion}: {one.ids}: {one.detail}"
            for check in self.checked
            for every in check.anomalies.values()
            for one in every
        ]
        for one in self.measured:
            found += _faults(one)
        return found


def _faults(one: Measured | Browsed) -> list[str]:
    """Why a load does not count."""
    who = f"{one.clients} clients"
    if isinstance(one, Browsed):
        return [f"errors of {who}: {one.errors}"] if one.errors else []
    found = [] if one.operations else [f"{who}: nothing was done"]
    return found if one.applied else [*found, f"{who}: not all was applied in time"]
