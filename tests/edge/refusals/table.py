"""The table of refusals: what provokes each, and the status that it comes with."""

from collections.abc import Awaitable, Callable
from typing import Any

from tests.edge.scene import Scene

Provoke = Callable[[Scene], Awaitable[Any]]

REFUSALS: dict[str, tuple[int, Provoke]] = {}
"""Code → status, and what provokes it: an answer over HTTP, or a raised Refusal."""

_TIMED = "tests/inventory/test_timed.py"
_SHIPMENTS = "tests/payments/test_shipments.py"
ELSEWHERE = {
    "sku-or-items": _TIMED,
    "sku-and-reason": _TIMED,
    "one-warehouse": _TIMED,
    "release-and-hold-id": _TIMED,
    "hold-or-release": _TIMED,
    "hold-or-count": _TIMED,
    "hold-taken": _TIMED,
    "hold-ended": _TIMED,
    "invalid-cursor": "tests/inventory/test_levels.py",
    "above-maximum": "tests/inventory/test_levels.py",
    "last-warehouse": "tests/inventory/test_warehouses.py",
    "authorization-expired": _SHIPMENTS,
    "capture-declined": _SHIPMENTS,
    "capture-in-progress": _SHIPMENTS,
    "not-authorized": "tests/payments/test_holds.py",
    "payment-voided": "tests/payments/test_holds.py",
    "one-id-required": "tests/payments/test_services.py",
    "payment-method-unavailable": "tests/payments/test_desk.py",
}
"""Code → the file of the test that provokes it, where a shop of its own does so."""


def provokes(code: str, status: int) -> Callable[[Provoke], Provoke]:
    """The function ends in this refusal."""

    def remember(provoke: Provoke) -> Provoke:
        assert code not in REFUSALS, code
        REFUSALS[code] = (status, provoke)
        return provoke

    return remember
