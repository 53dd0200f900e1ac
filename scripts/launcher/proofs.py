"""The parts of `scripts/test --full`: what runs, and how long it may take."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Proof:
    """One part; its command may write figures as JSON to `$SOUK_FIGURES`."""

    command: tuple[str, ...]
    minutes_max: int


def _marked(marker: str) -> tuple[str, ...]:
    return ("python", "-m", "pytest", "-q", "-m", marker)


_BENCHING = ("python", "-m", "scripts.benching")
_BENCH = (*_BENCHING, "--start")
_SIMULATION = ("python", "-m", "tests.simulation")
_CHAOS = ("python", "-m", "scripts.breaking", "--start")

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
    "chaos": Proof((*_CHAOS, "--rounds", "10", "--seconds", "60"), 60),
    "limits": Proof((*_BENCHING, "limits", "--start"), 10),
    "profile": Proof((*_BENCHING, "profile", "--start"), 10),
    "notebooks": Proof(_marked("notebooks"), 20),
    # The last: it writes docs/performance.md from what those before have kept.
    "aims": Proof((*_BENCHING, "aims"), 2),
}
