"""What payments remembers: payments, attempts, refunds, the ledger, stored methods."""

from persistence.payments.books import (
    BooksMoved,
    load_payments,
    next_version,
    save_attempts,
    save_payments,
    save_refunds,
    write_ledger,
)
from persistence.payments.methods import (
    delete_method,
    find_methods,
    insert_method,
    make_default,
    methods_of,
)
from persistence.payments.states import (
    FINAL,
    HELD,
    TAKEN,
    Attempt,
    LedgerLine,
    Payment,
    Refund,
    StoredMethod,
    attempt_key,
    capture_key,
    void_key,
)
from persistence.payments.tables import metadata

__all__ = [
    "FINAL",
    "HELD",
    "TAKEN",
    "Attempt",
    "BooksMoved",
    "LedgerLine",
    "Payment",
    "Refund",
    "StoredMethod",
    "attempt_key",
    "capture_key",
    "delete_method",
    "find_methods",
    "insert_method",
    "load_payments",
    "make_default",
    "metadata",
    "methods_of",
    "next_version",
    "save_attempts",
    "save_payments",
    "save_refunds",
    "void_key",
    "write_ledger",
]
