"""The table of refusals: what provokes each, and the status that it comes with."""

from collections.abc import Awaitable, Callable
from typing import Any

from tests.edge.scene import Scene

Provoke = Callable[[Scene], Awaitable[Any]]

REFUSALS: dict[str, tuple[int, Provoke]] = {}
"""Code → status, and what provokes it: an answer over HTTP, or a raised Refusal."""

_TIMED = "tests/inventory/test_timed.py"
_SHIPMENTS = "tests/payments/test_shipments.py"
_SIGN_IN = "tests/users/test_sign_in.py"
_IMPORTING = "tests/products/test_importing.py"
_DECODING = "tests/files/test_decoding.py"
_FILES_HTTP = "tests/files/test_http.py"
_PROBLEMS = "tests/gateway/test_problems.py"
ELSEWHERE = {
    "sku-or-items": _TIMED,
    "sku-and-reason": _TIMED,
    "one-warehouse": _TIMED,
    "release-and-hold-id": _TIMED,
    "hold-or-release": _TIMED,
    "hold-or-count": _TIMED,
    "hold-taken": _TIMED,
    "hold-ended": _TIMED,
    "above-maximum": "tests/inventory/test_levels.py",
    "last-warehouse": "tests/inventory/test_warehouses.py",
    "authorization-expired": _SHIPMENTS,
    "capture-declined": _SHIPMENTS,
    "capture-in-progress": _SHIPMENTS,
    "not-authorized": "tests/payments/test_holds.py",
    "payment-voided": "tests/payments/test_holds.py",
    "one-id-required": "tests/payments/test_services.py",
    "payment-method-unavailable": "tests/payments/test_desk.py",
    "invalid-state": _SIGN_IN,
    "issuer-timeout": _SIGN_IN,
    "issuer-unavailable": _SIGN_IN,
    "sign-in-refused": _SIGN_IN,
    "email-not-verified": "tests/users/test_identities.py",
    "last-administrator": "tests/users/test_accounts.py",
    "too-many-tries": "tests/users/test_sessions.py",
    "token-reused": "tests/users/test_routes.py",
    "handle-taken": _IMPORTING,
    "malformed-csv": _IMPORTING,
    "missing-columns": _IMPORTING,
    "repeated-columns": _IMPORTING,
    "address-unusable": "tests/messaging/test_services.py",
    "wrong-delimiter": _IMPORTING,
    "file-too-large": "tests/files/test_files.py",
    "picture-too-hard": _DECODING,
    "picture-too-large": _DECODING,
    "link-expired": _FILES_HTTP,
    "request-timeout": _FILES_HTTP,
    "too-many-uploads": _FILES_HTTP,
    "upload-limit-reached": "tests/files/test_files.py",
    "upload-lost": "tests/files/test_files.py",
    "content-required": "tests/messaging/test_services.py",
    "token-expired": "tests/gateway/test_identity.py",
    "token-revoked": "tests/gateway/test_epochs.py",
    "too-many-requests": "tests/gateway/test_limits.py",
    "too-many-streams": "tests/gateway/test_following.py",
    "audit-incomplete": "tests/gateway/test_auditing.py",
    "not-ready": "tests/gateway/test_routes.py",
    "internal-error": _PROBLEMS,
    "outcome-unknown": _PROBLEMS,
    "unavailable": _PROBLEMS,
}
"""Code → the file of the test that provokes it, where a shop of its own does so."""


def provokes(code: str, status: int) -> Callable[[Provoke], Provoke]:
    """The function ends in this refusal."""

    def remember(provoke: Provoke) -> Provoke:
        assert code not in REFUSALS, code
        REFUSALS[code] = (status, provoke)
        return provoke

    return remember
