"""What the standing audit counts."""

from collections.abc import Mapping

from actors.auditing.findings import Findings
from actors.auditing.waiting import Waiting
from actors.auditing.walking import Walk
from bus.kit import families
from bus.kit.metrics import Meters, Sample


class Counts:
    """Its series; what stands is a gauge by check."""

    def __init__(
        self, findings: Findings, waiting: Mapping[str, Waiting], walk: Walk
    ) -> None:
        self._meters = meters = Meters()
        self._seconds = meters.histogram(families.AUDIT_ROUND_SECONDS)
        meters.gauge(families.AUDIT_OPEN, lambda: len(findings.standing()))
        meters.gauge(families.AUDIT_WALK_AGE, lambda: walk.age_seconds)
        for unit, keys in waiting.items():
            meters.gauge(families.AUDIT_WAITING, keys.__len__, unit=unit)

    def round(self, seconds: float) -> None:
        """A round has ended."""
        self._seconds.observe(seconds)

    def looked(self, unit: str, count: int) -> None:
        """So many were compared."""
        self._meters.counter(families.AUDIT_LOOKS, unit=unit).value += count

    def found(self, check: str) -> None:
        """A finding stands."""
        self._meters.counter(families.AUDIT_FINDINGS, check=check).value += 1

    def away(self, domain: str) -> None:
        """A domain did not answer."""
        self._meters.counter(families.AUDIT_AWAY, domain=domain).value += 1

    def samples(self) -> list[Sample]:
        """All series as they stand."""
        return self._meters.samples()
