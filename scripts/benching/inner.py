"""The scenes that ask the kit itself, past HTTP."""

from collections.abc import Awaitable, Callable

from scripts.benching.holding import Holds, measure_holds
from scripts.benching.measuring import Bench
from scripts.benching.ordering import Process, measure_process
from scripts.benching.pairing import Asks, measure_asks

Inner = Holds | Asks | Process
Measure = Callable[[Bench, int, float], Awaitable[Inner]]

INNER: dict[str, Measure] = {
    "holds": measure_holds,
    "asks": measure_asks,
    "process": measure_process,
}
CALLERS = {"holds": "512", "asks": "64", "process": "64"}
"""How many ask at a time where `--clients` says nothing."""
