"""The parts of `scripts/test --full`: what runs, and how long it may take."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Proof:
    """One part; its command may write figures as JSON to `$SOUK_FIGURES`."""

    command: tuple[str, ...]
    minutes_max: int


def _marked(marker: str) -> tuple[str, ...]:
    return ("python", "-m", "pytest", "-q", "-m", marker)


_SIMULATION = ("python", "-m", "tests.simulation")
_BENCH = ("python", "-m", "scripts.benching", "--start")

PARTS = {
    "full": Proof((*_marked("full"), "tests/e2e"), 60),
    "walks": Proof((*_marked("full"), "--ignore=tests/e2e", "-n", "2"), 60),
    "coverage": Proof(("python", "-m", "scripts.launcher.covered"), 30),
    "deletions": Proof(("python", "-m", "tests.kit.deletions"), 60),
    "simulation": Proof((*_SIMULATION, "--seeds", "2000"), 30),
    "mutations": Proof(("python", "-m", "tests.simulation.mutations"), 60),
    "bench": Proof((*_BENCH, "orders", "--yardsticks"), 20),
    "checkout": Proof((*_BENCH, "checkout", "--clients", "64"), 20),
    "flash": Proof((*_BENCH, "flash", "--clients", "64", "--times", "3"), 20),
    "browse": Proof((*_BENCH, "browse"), 20),
    "notebooks": Proof(_marked("notebooks"), 10),
}
